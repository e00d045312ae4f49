-- What only a superuser may install: the reading of large objects' contents, and the detection of DDL.
CREATE FUNCTION pg_crucible.large_object_stamp() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT md5(string_agg(l.xmin::text || l.ctid::text, ',' ORDER BY l.ctid)) FROM pg_largeobject l);
END $$;

-- Event triggers tell of DDL and of temporary objects: nothing else has to be looked at.
CREATE FUNCTION pg_crucible.catalog_stamp() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '' $$;

CREATE FUNCTION pg_crucible.temporary_backends() RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT NULL::jsonb $$;

-- DDL detection by event triggers, which only a superuser may create (PostgreSQL manual, chapter 38). DDL on
-- temporary objects changes nothing that lasts; the connection that made them is not handed out again.
CREATE FUNCTION pg_crucible.mark_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    temporary boolean;
    lasting boolean;
BEGIN
    IF current_setting('pg_crucible.own', true) = 'on' THEN
        RETURN;
    END IF;
    SELECT bool_or(schema_name = 'pg_temp'), bool_or(schema_name IS DISTINCT FROM 'pg_temp')
      INTO temporary, lasting FROM pg_event_trigger_ddl_commands();
    IF temporary THEN
        INSERT INTO pg_crucible.mark VALUES (1, pg_backend_pid());
    END IF;
    IF lasting THEN
        INSERT INTO pg_crucible.mark VALUES (0);
    END IF;
END $$;

CREATE FUNCTION pg_crucible.mark_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF current_setting('pg_crucible.own', true) IS DISTINCT FROM 'on'
       AND EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE original AND NOT is_temporary) THEN
        INSERT INTO pg_crucible.mark VALUES (0);
    END IF;
END $$;

CREATE EVENT TRIGGER pg_crucible_ddl ON ddl_command_end EXECUTE FUNCTION pg_crucible.mark_ddl();
CREATE EVENT TRIGGER pg_crucible_drop ON sql_drop EXECUTE FUNCTION pg_crucible.mark_drop();
ALTER EVENT TRIGGER pg_crucible_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER pg_crucible_drop ENABLE ALWAYS;
