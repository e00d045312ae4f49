-- Tables with many rows are restored by difference: the cost is that of the changed rows, and of one scan.
-- A row is the baseline's if it has the same position (ctid) and was written by the same transaction (xmin): no two row
-- versions in one file share both. A table in another file (TRUNCATE, VACUUM FULL) needs a clone.

-- The head of a query that finds the rows of a table without a seed, and its seeds without a row.
CREATE FUNCTION pg_crucible.compared(t pg_crucible.tracked, all_rows boolean) RETURNS text LANGUAGE sql AS $$
    SELECT format('WITH here AS MATERIALIZED (SELECT at, born, r, row_number() OVER (PARTITION BY r ORDER BY at) AS n FROM ('
        '    SELECT x.ctid AS at, x.xmin AS born, %3$s COLLATE "C" AS r FROM ONLY %1$s x WHERE %4$s OR NOT EXISTS ('
        '        SELECT FROM pg_crucible.seed s WHERE s.relid = %2$s AND s.at = x.ctid AND s.born = x.xmin)) rows), '
        'was AS MATERIALIZED (SELECT s.place, s.r, row_number() OVER (PARTITION BY s.r ORDER BY s.place) AS n '
        '    FROM pg_crucible.seed s WHERE s.relid = %2$s AND (%4$s OR NOT EXISTS ('
        '        SELECT FROM ONLY %1$s x WHERE x.ctid = s.at AND x.xmin = s.born)))',
        t.name, t.relid, t.whole, all_rows::text)
$$;

-- Record the positions of the baseline's rows, which are found by their text.
CREATE FUNCTION pg_crucible.identify(t pg_crucible.tracked) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE pg_crucible.compared(t, true) || format('UPDATE pg_crucible.seed s SET at = here.at, born = here.born '
        'FROM was JOIN here USING (r, n) WHERE s.relid = %s AND s.place = was.place', t.relid);
END $$;

-- Restore one table by difference; return the reason if that is impossible, or NULL.
CREATE FUNCTION pg_crucible.restore_difference(t pg_crucible.tracked, most bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    strange tid[];
    gone bigint[];
    back bigint;
BEGIN
    IF pg_relation_filenode(t.relid) IS DISTINCT FROM t.filenode THEN
        RETURN format('TRUNCATE (or a rewrite) of %s seed rows of %s: a refill would cost more',
            to_char(t.rows, 'FM999,999,999'), pg_crucible.short(t.name));
    END IF;
    EXECUTE format('SELECT array_agg(x.at) FILTER (WHERE s.place IS NULL), array_agg(s.place) FILTER (WHERE x.at IS NULL) '
        'FROM (SELECT ctid AS at, xmin AS born FROM ONLY %s) x FULL JOIN '
        '(SELECT place, at, born FROM pg_crucible.seed WHERE relid = %s) s ON s.at = x.at AND s.born = x.born '
        'WHERE s.place IS NULL OR x.at IS NULL', t.name, t.relid) INTO strange, gone;
    IF cardinality(gone) > most THEN
        RETURN format('%s seed rows of %s changed or removed: a refill would cost more',
            to_char(cardinality(gone), 'FM999,999,999'), pg_crucible.short(t.name));
    END IF;
    IF strange IS NOT NULL THEN
        EXECUTE format('DELETE FROM ONLY %s WHERE ctid = ANY ($1)', t.name) USING strange;
    END IF;
    IF gone IS NOT NULL THEN
        PERFORM set_config('search_path', coalesce(t.search_path, current_setting('search_path')), true);
        EXECUTE format('WITH was AS MATERIALIZED (SELECT place, r, row_number() OVER (ORDER BY place) AS n '
            '    FROM pg_crucible.seed WHERE relid = %3$s AND place = ANY ($1)), '
            'put AS (INSERT INTO %1$s AS x %2$s SELECT %4$s FROM (SELECT r::%1$s AS r FROM was ORDER BY n OFFSET 0) x '
            '    RETURNING x.ctid AS at, x.xmin AS born, %5$s AS r), '
            'here AS (SELECT *, row_number() OVER () AS n FROM put) '
            'UPDATE pg_crucible.seed s SET at = here.at, born = here.born FROM was JOIN here USING (n) '
            'WHERE s.relid = %3$s AND s.place = was.place AND here.r = was.r',
            t.name, t.columns, t.relid, t.fields, t.whole) USING gone;
        GET DIAGNOSTICS back = ROW_COUNT;
        IF back < cardinality(gone) THEN
            RETURN format('writes to %s, whose rows come back different', pg_crucible.short(t.name));
        END IF;
    END IF;
    RETURN NULL;
END $$;

-- Restore big tables; "others" is the number of other tables to restore. If foreign keys are checked, rows that refer to
-- a deleted row prevent its deletion or are deleted with it: then only a single table is restored in this way.
CREATE FUNCTION pg_crucible.restore_differences(bigs oid[], others integer, most bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    t pg_crucible.tracked;
    usual text := current_setting('search_path');
    found text;
BEGIN
    IF current_setting('session_replication_role') <> 'replica' AND (cardinality(bigs) + others > 1 OR EXISTS (
            SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = ANY (bigs))) THEN
        RETURN (SELECT to_char(sum(k.rows), 'FM999,999,999') || ' seed rows in written tables: a refill would cost more'
                  FROM pg_crucible.tracked k WHERE k.relid = ANY (bigs));
    END IF;
    FOR t IN SELECT * FROM pg_crucible.tracked WHERE relid = ANY (bigs) LOOP
        found := pg_crucible.restore_difference(t, most);
        EXIT WHEN found IS NOT NULL;
        PERFORM set_config('search_path', usual, true);
    END LOOP;
    RETURN found;
END $$;
