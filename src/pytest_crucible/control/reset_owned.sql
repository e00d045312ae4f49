-- The objects that only a superuser may install: they read the contents of large objects, and detect DDL.
CREATE FUNCTION pg_crucible.large_object_stamp() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT md5(string_agg(l.xmin::text || l.ctid::text, ',' ORDER BY l.ctid)) FROM pg_largeobject l);
END $$;

-- Event triggers report DDL and temporary objects: no catalog has to be compared.
CREATE FUNCTION pg_crucible.catalog_stamp() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '' $$;

CREATE FUNCTION pg_crucible.temporary_backends() RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT NULL::jsonb $$;

-- DDL detection by event triggers, which only a superuser may create (PostgreSQL manual, chapter 38). DDL on
-- temporary objects changes nothing permanent; the connection that made them is not handed out again.
-- "ddl" holds the executed commands, for the summary and for schema_change().
CREATE UNLOGGED TABLE pg_crucible.ddl (tag text NOT NULL, name text, relid oid);

CREATE FUNCTION pg_crucible.mark_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    command record;
    lasting boolean := false;
BEGIN
    -- A read-only transaction can take no note, and changes nothing that counts: of DDL it may REINDEX and CLUSTER.
    IF current_setting('pg_crucible.own', true) = (SELECT own FROM pg_crucible.key)
       OR current_setting('transaction_read_only') = 'on' THEN
        RETURN;
    END IF;
    FOR command IN SELECT classid, objid, command_tag, object_type, schema_name, object_identity
                     FROM pg_event_trigger_ddl_commands() LOOP
        IF command.schema_name = 'pg_temp' THEN
            INSERT INTO pg_crucible.mark VALUES (1, pg_backend_pid());
        ELSIF NOT pg_crucible.of_temporary(command.classid, command.objid, command.object_type) THEN
            INSERT INTO pg_crucible.ddl VALUES (command.command_tag, command.object_identity,
                CASE WHEN command.classid = 'pg_class'::regclass THEN command.objid END);
            lasting := true;
        END IF;
    END LOOP;
    IF lasting THEN
        INSERT INTO pg_crucible.mark VALUES (0);
    END IF;
END $$;

-- Whether a command on an object without a schema was for a temporary table: a trigger, rule or policy of one; or a
-- GRANT, which names no object, if this transaction wrote no row of a permanent object into the catalog.
CREATE FUNCTION pg_crucible.of_temporary(class oid, object oid, kind text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    began xid := pg_current_xact_id()::xid;
BEGIN
    IF class IS NULL THEN
        RETURN kind IN ('TABLE', 'SEQUENCE') AND NOT EXISTS (
            SELECT FROM pg_class c WHERE c.relpersistence <> 't' AND age(c.xmin) <= age(began)) AND NOT EXISTS (
            SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             WHERE c.relpersistence <> 't' AND age(a.xmin) <= age(began));
    END IF;
    RETURN EXISTS (SELECT FROM pg_class c WHERE c.relpersistence = 't' AND c.oid = CASE class
        WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid FROM pg_trigger WHERE oid = object)
        WHEN 'pg_rewrite'::regclass THEN (SELECT ev_class FROM pg_rewrite WHERE oid = object)
        WHEN 'pg_policy'::regclass THEN (SELECT polrelid FROM pg_policy WHERE oid = object) END);
END $$;

CREATE FUNCTION pg_crucible.mark_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF current_setting('pg_crucible.own', true) = (SELECT own FROM pg_crucible.key) THEN
        RETURN;
    END IF;
    INSERT INTO pg_crucible.ddl (tag, name)
        SELECT tg_tag, object_identity FROM pg_event_trigger_dropped_objects() WHERE original AND NOT is_temporary;
    IF FOUND THEN
        INSERT INTO pg_crucible.mark VALUES (0);
    END IF;
END $$;

CREATE EVENT TRIGGER pg_crucible_ddl ON ddl_command_end EXECUTE FUNCTION pg_crucible.mark_ddl();
CREATE EVENT TRIGGER pg_crucible_drop ON sql_drop EXECUTE FUNCTION pg_crucible.mark_drop();
ALTER EVENT TRIGGER pg_crucible_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER pg_crucible_drop ENABLE ALWAYS;

-- The baseline's catalog, and the contents of its materialized views, to find out whether DDL has changed anything.
-- "horizon": older rows of the catalog came with the server. They are counted, not read.
CREATE TABLE pg_crucible.schema (catalog text NOT NULL, horizon xid NOT NULL);
CREATE TABLE pg_crucible.view (relid oid NOT NULL, content text);

CREATE FUNCTION pg_crucible.note_schema() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first xid := coalesce((SELECT horizon FROM pg_crucible.schema),
                          (SELECT datfrozenxid FROM pg_database WHERE datname = current_database()));
BEGIN
    TRUNCATE pg_crucible.schema, pg_crucible.view, pg_crucible.ddl;
    INSERT INTO pg_crucible.view SELECT c.oid, pg_crucible.view_content(c.oid) FROM pg_class c WHERE c.relkind = 'm';
    INSERT INTO pg_crucible.schema VALUES (pg_crucible.catalog_digest(first), first);
END $$;

CREATE FUNCTION pg_crucible.view_content(relation oid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    content text;
BEGIN
    IF (SELECT relispopulated FROM pg_class WHERE oid = relation) THEN
        EXECUTE format('SELECT concat(count(*), '','', sum(hashtextextended((x.*)::text, 0))) FROM %s x',
            relation::regclass) INTO content;
    END IF;
    RETURN content;
END $$;

-- Every row of the catalog that belongs to this database only. Left out are facts that no statement sees as state (the
-- positions of rows, statistics, freezing), and the objects of Crucible and of temporary schemas.
CREATE FUNCTION pg_crucible.catalog_digest(horizon xid) RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    query text := (
        SELECT string_agg(format('SELECT %L AS name, count(*) AS n, sum(hashtextextended(ROW(%s)::text, 0)) '
            'FILTER (WHERE age(c.xmin) <= age($1)) AS content FROM pg_catalog.%I c WHERE %s',
            c.relname, a.columns, c.relname, CASE c.relname
                WHEN 'pg_namespace' THEN $w$c.nspname !~ '^pg_(toast_)?temp_'$w$
                WHEN 'pg_proc' THEN $w$c.pronamespace <> 'pg_crucible'::regnamespace$w$
                WHEN 'pg_shdepend' THEN 'c.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())'
                ELSE 'true' END), ' UNION ALL ')
          FROM pg_class c
          JOIN LATERAL (SELECT string_agg('c.' || quote_ident(attname), ', ' ORDER BY attnum) AS columns
                          FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                           AND attname <> ALL (ARRAY['relfilenode', 'relpages', 'reltuples', 'relallvisible',
                               'relallfrozen', 'relfrozenxid', 'relminmxid', 'indcheckxmin', 'atthasmissing',
                               'attmissingval', 'dbid'])) a ON true
         WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r'
           AND (NOT c.relisshared OR c.relname = 'pg_shdepend')
           AND c.relname NOT IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_largeobject'));
    digest text;
BEGIN
    EXECUTE format('SELECT string_agg(concat_ws('','', name, n, content), ''/'' ORDER BY name) FROM (%s) q', query)
       INTO digest USING horizon;
    RETURN digest;
END $$;

-- Commands that change only the catalog, and rows of tables and views that they name.
CREATE FUNCTION pg_crucible.is_compared(tag text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT tag IN ('COMMENT', 'GRANT', 'REVOKE', 'REINDEX', 'REFRESH MATERIALIZED VIEW')
        OR tag ~ '^(CREATE|ALTER|DROP) (TABLE|INDEX|VIEW|MATERIALIZED VIEW|SEQUENCE|FUNCTION|PROCEDURE|TRIGGER|RULE|SCHEMA)$'
$$;

-- The changes that DDL has made, in words, or NULL if the schema is unchanged.
CREATE FUNCTION pg_crucible.schema_change() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text[] := ARRAY(SELECT concat_ws(' ', d.tag, pg_crucible.short(d.name)) FROM pg_crucible.ddl d
                          GROUP BY 1 ORDER BY min(d.ctid));
BEGIN
    -- Without a recorded command, a commit came after the reset had read the marks.
    IF said <> '{}' AND NOT EXISTS (SELECT FROM pg_crucible.ddl d WHERE NOT pg_crucible.is_compared(d.tag))
       AND (SELECT pg_crucible.catalog_digest(s.horizon) = s.catalog FROM pg_crucible.schema s)
       AND NOT EXISTS (SELECT FROM pg_crucible.view v WHERE EXISTS (
            SELECT FROM pg_crucible.ddl d WHERE d.tag = 'REFRESH MATERIALIZED VIEW')
            AND pg_crucible.view_content(v.relid) IS DISTINCT FROM v.content) THEN
        RETURN NULL;
    END IF;
    RETURN coalesce(nullif(array_to_string(said[1:3], ', '), ''), 'the schema changed (DDL)')
        || CASE WHEN cardinality(said) > 3 THEN format(' and %s more', cardinality(said) - 3) ELSE '' END;
END $$;

-- The tables that DDL without effect on the schema named: it may have written their rows.
CREATE FUNCTION pg_crucible.altered_tables() RETURNS oid[] LANGUAGE plpgsql AS $$
DECLARE
    named oid[];
BEGIN
    WITH taken AS (DELETE FROM pg_crucible.ddl RETURNING relid)
    SELECT array_agg(DISTINCT relid) FILTER (WHERE relid IS NOT NULL) INTO named FROM taken;
    RETURN coalesce(named, '{}');
END $$;
