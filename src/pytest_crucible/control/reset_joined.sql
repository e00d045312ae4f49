-- DDL of a role that joined the owner of the schema (see worker/roles.py) is executed as the owner. So new objects belong
-- to the owner, and every role with privileges on the others can use them. All other statements run as the role itself:
-- current_user is that of production, in policies and in columns' defaults. The change lasts for one command only:
-- PostgreSQL undoes SET LOCAL if the command fails, or commits in between (CONCURRENTLY).
--   pg_crucible.depth   the nesting depth of commands of the joined role
CREATE FUNCTION pg_crucible.begin_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    depth integer := coalesce(nullif(current_setting('pg_crucible.depth', true), ''), '0');
    owner name;
BEGIN
    IF depth = 0 THEN
        -- The grantor distinguishes memberships that Crucible gave from others.
        SELECT o.rolname INTO owner
          FROM pg_database d JOIN pg_roles o ON o.oid = d.datdba JOIN pg_auth_members m ON m.roleid = d.datdba
          JOIN pg_roles r ON r.oid = m.member JOIN pg_namespace n ON n.nspowner = m.grantor
         WHERE d.datname = current_database() AND r.rolname = session_user AND current_user = session_user
           AND n.nspname = 'pg_crucible';
        IF NOT FOUND THEN
            RETURN;
        END IF;
        PERFORM set_config('role', owner, true);
    END IF;
    PERFORM set_config('pg_crucible.depth', (depth + 1)::text, true);
END $$;

CREATE FUNCTION pg_crucible.end_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    depth integer := coalesce(nullif(current_setting('pg_crucible.depth', true), ''), '0');
BEGIN
    IF depth > 0 THEN
        PERFORM set_config('pg_crucible.depth', (depth - 1)::text, true);
    END IF;
    IF depth = 1 THEN
        PERFORM set_config('role', 'none', true);
    END IF;
END $$;

CREATE EVENT TRIGGER pg_crucible_begin ON ddl_command_start EXECUTE FUNCTION pg_crucible.begin_ddl();
CREATE EVENT TRIGGER pg_crucible_end ON ddl_command_end EXECUTE FUNCTION pg_crucible.end_ddl();
