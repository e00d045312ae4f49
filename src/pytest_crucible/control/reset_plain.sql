-- The substitute for reset_owned.sql if the role is no superuser: DDL is found by comparing the catalog.

-- Contents of large objects are not readable: a reset finds their creation and removal, but no change of contents.
CREATE FUNCTION pg_crucible.large_object_stamp() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '' $$;

-- Stamp of materialized views: REFRESH … CONCURRENTLY, which needs a unique index, writes rows and fires no trigger.
CREATE FUNCTION pg_crucible.views_stamp() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    v oid;
    part text;
    stamp text := '';
BEGIN
    FOR v IN SELECT c.oid FROM pg_class c WHERE c.relkind = 'm' AND c.relispopulated
                AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique) ORDER BY c.oid LOOP
        EXECUTE format('SELECT concat(count(*), '','', max(xmin::text::bigint)) FROM %s', v::regclass) INTO part;
        stamp := stamp || v || ',' || part || ';';
    END LOOP;
    RETURN stamp;
END $$;

-- The versions of all catalog rows of the user's permanent objects. For pg_class, only the columns that DDL changes
-- count: TRUNCATE and a restarted sequence write there, too. The same holds for sequences and indexes: an index is
-- written when its table is rewritten.
CREATE FUNCTION pg_crucible.catalog_stamp() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN concat_ws('/',
        (SELECT sum(hashtextextended(concat_ws(',', c.oid, c.relname, c.relnamespace, c.relowner, c.relkind,
            c.relacl, c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.relhasrules,
            c.relreplident, c.relpersistence, c.relam, c.reltablespace, c.relispopulated,
            CASE c.relkind WHEN 'm' THEN c.relfilenode END), 0))
           FROM pg_class c WHERE c.oid >= 16384 AND c.relpersistence <> 't'),
        (SELECT concat(count(*), ',', max(a.xmin::text::bigint)) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          WHERE c.oid >= 16384 AND c.relpersistence <> 't'),
        (SELECT concat(count(*), ',', max(k.xmin::text::bigint)) FROM pg_constraint k
           LEFT JOIN pg_class c ON c.oid = k.conrelid WHERE c.relpersistence IS DISTINCT FROM 't'),
        (SELECT concat(count(*), ',', max(g.xmin::text::bigint)) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
          WHERE c.relpersistence <> 't'),
        (SELECT concat(count(*), ',', max(p.xmin::text::bigint)) FROM pg_proc p WHERE p.oid >= 16384),
        (SELECT concat(count(*), ',', max(t.xmin::text::bigint)) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
          WHERE t.oid >= 16384 AND n.nspname !~ '^pg_'),
        (SELECT concat(count(*), ',', max(d.xmin::text::bigint)) FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
          WHERE c.relpersistence <> 't'),
        (SELECT concat(count(*), ',', max(w.xmin::text::bigint)) FROM pg_rewrite w WHERE w.oid >= 16384),
        (SELECT concat(count(*), ',', max(e.xmin::text::bigint)) FROM pg_enum e),
        (SELECT concat(count(*), ',', max(p.xmin::text::bigint)) FROM pg_policy p),
        (SELECT concat(count(*), ',', max(d.xmin::text::bigint)) FROM pg_description d
          WHERE d.objoid >= 16384 OR d.classoid = 'pg_namespace'::regclass),
        (SELECT concat(count(*), ',', max(d.xmin::text::bigint)) FROM pg_default_acl d),
        (SELECT concat(count(*), ',', max(s.xmin::text::bigint)) FROM pg_statistic_ext s),
        (SELECT concat(count(*), ',', max(n.xmin::text::bigint)) FROM pg_namespace n WHERE n.nspname !~ '^pg_'),
        (SELECT sum(hashtextextended(s::text, 0)) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
          WHERE c.relpersistence <> 't'),
        (SELECT sum(hashtextextended(concat_ws(',', i.indexrelid, i.indisreplident, i.indisclustered), 0))
           FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE i.indexrelid >= 16384 AND c.relpersistence <> 't'),
        (SELECT sum(hashtextextended(i::text, 0)) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE c.relpersistence <> 't'),
        (SELECT sum(hashtextextended(concat(k.oid, ',', k.xmin), 0)) FROM (
            SELECT oid, xmin FROM pg_operator UNION ALL SELECT oid, xmin FROM pg_opclass
            UNION ALL SELECT oid, xmin FROM pg_cast UNION ALL SELECT oid, xmin FROM pg_collation
            UNION ALL SELECT oid, xmin FROM pg_conversion UNION ALL SELECT oid, xmin FROM pg_ts_config
            UNION ALL SELECT oid, xmin FROM pg_ts_dict UNION ALL SELECT oid, xmin FROM pg_extension
            UNION ALL SELECT oid, xmin FROM pg_language UNION ALL SELECT oid, xmin FROM pg_publication
            UNION ALL SELECT oid, xmin FROM pg_publication_rel UNION ALL SELECT oid, xmin FROM pg_foreign_server) k
          WHERE k.oid >= 16384),
        (SELECT concat(count(*), ',', max(m.xmin::text::bigint)) FROM pg_ts_config_map m WHERE m.mapcfg >= 16384),
        pg_crucible.views_stamp());
END $$;

-- A temporary schema is named after its backend's number. Before PostgreSQL 16, no function maps that number to a
-- backend (pg_stat_get_backend_pid() took a position in a list): it may be any backend in this database.
CREATE FUNCTION pg_crucible.temporary_backends() RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    numbers integer[] := (SELECT array_agg(DISTINCT substr(n.nspname, 9)::integer)
                            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE c.relpersistence = 't' AND n.nspname LIKE 'pg\_temp\_%');
BEGIN
    IF numbers IS NULL THEN
        RETURN NULL;
    ELSIF current_setting('server_version_num')::integer >= 160000 THEN
        RETURN (SELECT jsonb_agg(pg_stat_get_backend_pid(number)) FROM unnest(numbers) AS number);
    END IF;
    RETURN (SELECT jsonb_agg(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid());
END $$;

-- Without event triggers no mark reports DDL: the stamp shows it, and leads to a clone.
CREATE FUNCTION pg_crucible.note_schema() RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION pg_crucible.schema_change() RETURNS text LANGUAGE sql AS $$ SELECT 'the schema changed (DDL)' $$;
CREATE FUNCTION pg_crucible.altered_tables() RETURNS oid[] LANGUAGE sql AS $$ SELECT '{}'::oid[] $$;
