-- The schema of a database, one line for each fact: the object, then its property. No line depends on oids, on the order
-- of creation, or on the number of a column (one that is dropped and added again comes last, and cannot be moved).
-- Not listed: members of extensions, names of NOT NULL constraints (PostgreSQL chooses them), rows, and the values of
-- sequences. Oids from 16384 on belong to users (PostgreSQL's FirstNormalObjectId); filtering by them before a
-- definition is written out saves most of the time.
WITH
spaces AS (
    SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
),
of_extensions AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
relations AS (
    SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name,
           CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
                WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
                WHEN 'c' THEN 'type' END AS kind
    FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
      AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid)
),
types AS (
    SELECT t.*, format('%I.%I', n.nspname, t.typname) AS name
    FROM pg_type t JOIN spaces n ON n.oid = t.typnamespace
    WHERE t.oid >= 16384 AND t.typtype IN ('e', 'd', 'r', 'm')
      AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid)
),
routines AS (
    SELECT p.*, format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS name,
           CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind
    FROM pg_proc p JOIN spaces n ON n.oid = p.pronamespace
    WHERE p.oid >= 16384
      AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                      AND d.deptype = 'i')  -- the constructors of a range type
),
-- Privileges equal to PostgreSQL's defaults are left out, whether they are stored or not.
privileges AS (
    SELECT kind, name, acl FROM (
        SELECT kind, name, relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)
          FROM relations WHERE relkind <> 'c'
        UNION ALL
        SELECT 'table', format('%s, column %I', r.name, a.attname), a.attacl, '{}'
          FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid WHERE a.attacl IS NOT NULL AND a.attnum > 0
        UNION ALL
        SELECT 'schema', quote_ident(nspname), nspacl, acldefault('n', nspowner) FROM spaces
        UNION ALL
        SELECT kind, name, proacl, acldefault('f', proowner) FROM routines
        UNION ALL
        SELECT 'type', name, typacl, acldefault('T', typowner) FROM types
        UNION ALL
        SELECT 'default privileges', format('of %I for %s in %s', pg_get_userbyid(defaclrole),
               CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                    WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE defaclobjtype::text END,
               coalesce(nspname, 'every schema')), defaclacl, NULL
          FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
    ) AS each_kind (kind, name, acl, by_default)
    WHERE ARRAY(SELECT a::text FROM unnest(acl) AS a ORDER BY 1)
          IS DISTINCT FROM ARRAY(SELECT a::text FROM unnest(by_default) AS a ORDER BY 1) AND acl IS NOT NULL
),
facts (kind, name, fact) AS (
    SELECT 'schema', quote_ident(nspname), 'owner ' || pg_get_userbyid(nspowner) FROM spaces
    UNION ALL
    SELECT 'extension', quote_ident(extname), format('version %s in %s', extversion, extnamespace::regnamespace)
      FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL
    SELECT kind, name, concat_ws(', ',
           'owner ' || pg_get_userbyid(relowner),
           CASE relpersistence WHEN 'u' THEN 'unlogged' END,
           'partitioned by ' || pg_get_partkeydef(oid),
           pg_get_expr(relpartbound, oid),
           'with (' || array_to_string(reloptions, ', ') || ')',
           CASE WHEN relrowsecurity THEN 'row level security' END,
           CASE WHEN relforcerowsecurity THEN 'forced row level security' END,
           CASE WHEN relreplident NOT IN ('d', 'n') THEN 'replica identity ' || relreplident::text END)
      FROM relations
    UNION ALL
    SELECT r.kind, r.name, 'inherits ' || i.inhparent::regclass
      FROM pg_inherits i JOIN relations r ON r.oid = i.inhrelid
    UNION ALL
    SELECT r.kind, r.name, format('column %I ', a.attname) || concat_ws(' ',
           format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation END,
           CASE WHEN a.attnotnull THEN 'not null' END,
           CASE a.attidentity WHEN 'a' THEN 'generated always as identity' WHEN 'd' THEN 'generated by default as identity' END,
           CASE WHEN a.attgenerated = 's' THEN 'stored as' WHEN a.attgenerated = 'v' THEN 'virtual as'
                WHEN a.atthasdef THEN 'default' END
             || ' ' || pg_get_expr(d.adbin, d.adrelid),
           CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END)
      FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
     WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind <> 'S'
    UNION ALL
    SELECT coalesce(r.kind, 'type'), coalesce(r.name, t.name), format('constraint %I %s%s', k.conname,
           pg_get_constraintdef(k.oid), CASE WHEN NOT k.convalidated AND k.contype NOT IN ('c', 'f') THEN ' NOT VALID' END)
      FROM pg_constraint k LEFT JOIN relations r ON r.oid = k.conrelid LEFT JOIN types t ON t.oid = k.contypid
     WHERE k.oid >= 16384 AND k.contype NOT IN ('t', 'n') AND (r.oid IS NOT NULL OR t.oid IS NOT NULL)
    UNION ALL
    SELECT r.kind, r.name, concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'INVALID' END,
           CASE WHEN i.indisclustered THEN 'clustered' END)
      FROM pg_index i JOIN relations r ON r.oid = i.indrelid WHERE i.indrelid >= 16384
    UNION ALL
    SELECT r.kind, r.name, concat_ws(' ', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
           'min', s.seqmin, 'max', s.seqmax, 'cache', s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END,
           'owned by ' || (SELECT format('%s.%I', d.refobjid::regclass, a.attname) FROM pg_depend d JOIN pg_attribute a
                           ON (a.attrelid, a.attnum) = (d.refobjid, d.refobjsubid) WHERE d.classid = 'pg_class'::regclass
                           AND d.objid = r.oid AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass))
      FROM pg_sequence s JOIN relations r ON r.oid = s.seqrelid
    UNION ALL
    SELECT r.kind, r.name, format('trigger %s%s', pg_get_triggerdef(t.oid),
           CASE t.tgenabled WHEN 'O' THEN '' ELSE ' enabled ' || t.tgenabled::text END)
      FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT r.kind, r.name, 'rule ' || pg_get_ruledef(w.oid)
      FROM pg_rewrite w JOIN relations r ON r.oid = w.ev_class WHERE w.oid >= 16384
    UNION ALL
    SELECT 'table', format('%I.%I', schemaname, tablename), concat_ws(' ', 'policy', quote_ident(policyname), permissive, cmd, 'to',
           roles::text, 'using ' || qual, 'with check ' || with_check)
      FROM pg_policies
    UNION ALL
    SELECT r.kind, r.name, 'statistics ' || pg_get_statisticsobjdef(s.oid)
      FROM pg_statistic_ext s JOIN relations r ON r.oid = s.stxrelid
    UNION ALL
    SELECT 'type', name, concat_ws(' ', 'owner', pg_get_userbyid(typowner),
           CASE typtype
               WHEN 'e' THEN 'enum (' || (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                                            FROM pg_enum WHERE enumtypid = types.oid) || ')'
               WHEN 'd' THEN concat_ws(' ', 'domain over', format_type(typbasetype, typtypmod),
                                       CASE WHEN typnotnull THEN 'not null' END, 'default ' || typdefault)
               WHEN 'r' THEN 'range over ' || (SELECT rngsubtype::regtype::text FROM pg_range WHERE rngtypid = types.oid)
               ELSE 'multirange' END)
      FROM types
    UNION ALL
    SELECT kind, name, format('owner %s', pg_get_userbyid(proowner)) FROM routines
    UNION ALL
    SELECT kind, name, CASE WHEN kind = 'aggregate' THEN 'returns ' || format_type(prorettype, NULL)
           ELSE pg_get_functiondef(oid) END
      FROM routines
    UNION ALL
    SELECT kind, name, format('grants %s to %s', string_agg(g.privilege_type || CASE WHEN g.is_grantable
           THEN ' with grant option' ELSE '' END, ', ' ORDER BY g.privilege_type),
           CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
      FROM privileges, aclexplode(acl) AS g GROUP BY kind, name, g.grantee
    UNION ALL
    SELECT o.type, o.identity, 'comment ' || quote_literal(d.description)
      FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o
     WHERE d.objoid >= 16384 AND o.type <> 'extension' AND coalesce(o.schema, '') !~ '^pg_'
       AND NOT EXISTS (SELECT FROM of_extensions e WHERE (e.classid, e.objid) = (d.classoid, d.objoid))
    UNION ALL
    SELECT o.type, o.identity, 'is there'
      FROM (SELECT tableoid, oid FROM pg_event_trigger UNION ALL SELECT tableoid, oid FROM pg_cast
            UNION ALL SELECT tableoid, oid FROM pg_operator UNION ALL SELECT tableoid, oid FROM pg_opclass
            UNION ALL SELECT tableoid, oid FROM pg_opfamily UNION ALL SELECT tableoid, oid FROM pg_collation
            UNION ALL SELECT tableoid, oid FROM pg_conversion UNION ALL SELECT tableoid, oid FROM pg_ts_config
            UNION ALL SELECT tableoid, oid FROM pg_ts_dict UNION ALL SELECT tableoid, oid FROM pg_ts_parser
            UNION ALL SELECT tableoid, oid FROM pg_ts_template UNION ALL SELECT tableoid, oid FROM pg_language
            UNION ALL SELECT tableoid, oid FROM pg_foreign_data_wrapper UNION ALL SELECT tableoid, oid FROM pg_foreign_server
            UNION ALL SELECT tableoid, oid FROM pg_publication UNION ALL SELECT tableoid, oid FROM pg_transform
            UNION ALL SELECT tableoid, oid FROM pg_am) AS x (classid, objid),
           pg_identify_object(x.classid, x.objid, 0) AS o
     WHERE x.objid >= 16384 AND coalesce(o.schema, '') !~ '^pg_'
       AND NOT EXISTS (SELECT FROM of_extensions e WHERE (e.classid, e.objid) = (x.classid, x.objid))
    UNION ALL
    SELECT 'database', 'settings', concat_ws(' ', CASE WHEN setrole <> 0 THEN pg_get_userbyid(setrole) || ':' END, s)
      FROM pg_db_role_setting, unnest(setconfig) AS s
     WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT concat_ws(' ', kind, name) || ': ' || fact FROM facts WHERE fact IS NOT NULL ORDER BY 1
