-- For an application that may be a superuser, as on a server that is not Crucible's: it can switch off triggers and event
-- triggers by DDL that fires no event trigger, or by writing to the catalog. Row versions show that, even after it has
-- switched them on again.
CREATE OR REPLACE FUNCTION pg_crucible.catalog_stamp() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN concat_ws('/',
        (SELECT concat(count(*), ',', max(e.xmin::text::bigint)) FROM pg_event_trigger e),
        (SELECT concat(count(*), ',', max(g.xmin::text::bigint)) FROM pg_trigger g
          WHERE g.tgname LIKE 'pg\_crucible\_%'));
END $$;
