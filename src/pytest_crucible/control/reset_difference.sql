-- Tables with many rows are restored by difference: the cost is that of the changed rows, and of one scan.
-- A row is the baseline's if it has the same position (ctid) and was written by the same transaction (xmin): no two row
-- versions in one file share both. A table in another file (TRUNCATE, VACUUM FULL) needs a clone.

-- The head of a query that finds the rows of a table without a seed, and its seeds without a row; among those with
-- "keys", if these are not NULL.
CREATE FUNCTION pg_crucible.compared(t pg_crucible.tracked, all_rows boolean, keys text[]) RETURNS text LANGUAGE sql AS $$
    SELECT format('WITH here AS MATERIALIZED (SELECT at, born, k, r, row_number() OVER (PARTITION BY r ORDER BY at) AS n FROM ('
        '    SELECT x.ctid AS at, x.xmin AS born, %5$s AS k, %3$s COLLATE "C" AS r FROM ONLY %1$s x WHERE %6$s AND (%4$s OR NOT EXISTS ('
        '        SELECT FROM pg_crucible.seed s WHERE s.relid = %2$s AND %7$s AND s.at = x.ctid AND s.born = x.xmin))) rows), '
        'was AS MATERIALIZED (SELECT s.place, s.r, row_number() OVER (PARTITION BY s.r ORDER BY s.place) AS n '
        '    FROM pg_crucible.seed s WHERE s.relid = %2$s AND %7$s AND (%4$s OR NOT EXISTS ('
        '        SELECT FROM ONLY %1$s x WHERE %6$s AND x.ctid = s.at AND x.xmin = s.born)))',
        t.name, t.relid, t.whole, all_rows::text, pg_crucible.key_text(t.key, 'x.'),
        CASE WHEN keys IS NULL THEN 'true' ELSE pg_crucible.has_key(t, format('%L::text[]', keys)) END,
        CASE WHEN keys IS NULL THEN 'true' ELSE format('s.k = ANY (%L::text[])', keys) END)
$$;

-- Record the positions of the baseline's rows, which are found by their text.
CREATE FUNCTION pg_crucible.identify(t pg_crucible.tracked) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE pg_crucible.compared(t, true, NULL) || format('UPDATE pg_crucible.seed s SET at = here.at, born = here.born '
        'FROM was JOIN here USING (r, n) WHERE s.relid = %s AND s.place = was.place', t.relid);
END $$;

-- The statement that finds the positions of rows without a seed, and the places of seeds without a row.
CREATE FUNCTION pg_crucible.finding(t pg_crucible.tracked, row_condition text, seed_condition text) RETURNS text
LANGUAGE sql AS $$
    SELECT format($body$
        SELECT array_agg(x.at) FILTER (WHERE s.place IS NULL), array_agg(s.place) FILTER (WHERE x.at IS NULL) INTO strange, gone
          FROM (SELECT x.ctid AS at, x.xmin AS born FROM ONLY %s x WHERE %s) x
          FULL JOIN (SELECT s.place, s.at, s.born FROM pg_crucible.seed s WHERE s.relid = %s AND %s) s
            ON s.at = x.at AND s.born = x.born
         WHERE s.place IS NULL OR x.at IS NULL;
        $body$, t.name, row_condition, t.relid, seed_condition)
$$;

-- The statements for one table.
CREATE FUNCTION pg_crucible.difference(t pg_crucible.tracked) RETURNS text LANGUAGE sql AS $$
    SELECT format($body$
        IF t.relid = %2$s THEN
            IF keys IS NULL THEN
                %6$s
            ELSE
                %7$s
            END IF;
            IF cardinality(gone) <= most IS NOT FALSE THEN
                IF strange IS NOT NULL THEN
                    DELETE FROM ONLY %1$s WHERE ctid = ANY (strange);
                END IF;
                IF gone IS NOT NULL THEN
                    PERFORM set_config('search_path', coalesce(t.search_path, usual), true);
                    WITH was AS MATERIALIZED (SELECT place, r, row_number() OVER (ORDER BY place) AS n
                        FROM pg_crucible.seed WHERE relid = %2$s AND place = ANY (gone)),
                    put AS (INSERT INTO %1$s AS x %3$s SELECT %4$s FROM (SELECT r::%1$s AS r FROM was ORDER BY n OFFSET 0) x
                        RETURNING x.ctid AS at, x.xmin AS born, %5$s AS r),
                    here AS (SELECT *, row_number() OVER () AS n FROM put)
                    UPDATE pg_crucible.seed s SET at = here.at, born = here.born FROM was JOIN here USING (n)
                     WHERE s.relid = %2$s AND s.place = was.place AND here.r = was.r;
                    GET DIAGNOSTICS back = ROW_COUNT;
                    PERFORM set_config('search_path', usual, true);
                END IF;
            END IF;
        END IF;
        $body$, t.name, t.relid, t.columns, t.fields, t.whole, pg_crucible.finding(t, 'true', 'true'),
        CASE WHEN t.key IS NOT NULL THEN pg_crucible.finding(t, pg_crucible.has_key(t, 'keys'), 's.k = ANY (keys)') END)
$$;

-- restore_difference() restores one table, and returns the reason if that is impossible, or NULL. "keys" are those of the
-- rows that may have changed, or NULL if they are unknown. As with restore_tables(), its text is written for this schema.
CREATE FUNCTION pg_crucible.define_restore_difference() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION pg_crucible.restore_difference(t pg_crucible.tracked, most bigint, keys text[]) '
        'RETURNS text LANGUAGE plpgsql AS %L', $body$
        #variable_conflict use_variable
        DECLARE
            strange tid[]; gone bigint[]; back bigint; usual text := current_setting('search_path');
        BEGIN
            IF pg_relation_filenode(t.relid) IS DISTINCT FROM t.filenode THEN
                RETURN format('TRUNCATE (or a rewrite) of %s seed rows of %s: a refill would cost more',
                    to_char(t.rows, 'FM999,999,999'), pg_crucible.short(t.name));
            END IF;
        $body$ || coalesce((SELECT string_agg(pg_crucible.difference(k), '') FROM pg_crucible.tracked k WHERE k.big), '') || $body$
            IF cardinality(gone) > most THEN
                RETURN format('%s seed rows of %s changed or removed: a refill would cost more',
                    to_char(cardinality(gone), 'FM999,999,999'), pg_crucible.short(t.name));
            ELSIF back < cardinality(gone) THEN
                RETURN format('writes to %s, whose rows come back different', pg_crucible.short(t.name));
            END IF;
            RETURN NULL;
        END
        $body$);
END $$;

-- The logged keys of a table, or NULL if they are not known, or so many that to read the whole table costs less.
CREATE FUNCTION pg_crucible.logged_keys(t pg_crucible.tracked, logs oid[], keys text[]) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    mine text[];
BEGIN
    IF NOT t.logged OR logs IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(array_agg(DISTINCT l.k), '{}') INTO mine
      FROM unnest(logs, keys) AS l (relid, k) WHERE l.relid = ANY (t.logs);
    RETURN CASE WHEN cardinality(mine) <= greatest(100, t.rows / 20) AND array_position(mine, NULL) IS NULL THEN mine END;
END $$;

-- Restore big tables; "others" is the number of other tables to restore, "logs" and "keys" what the triggers logged. If foreign keys are checked, rows that refer to
-- a deleted row prevent its deletion or are deleted with it: then only a single table is restored in this way.
CREATE FUNCTION pg_crucible.restore_differences(bigs oid[], others integer, most bigint, logs oid[], keys text[])
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t pg_crucible.tracked;
    mine text[];
    found text;
BEGIN
    IF current_setting('session_replication_role') <> 'replica' AND (cardinality(bigs) + others > 1 OR EXISTS (
            SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = ANY (bigs))) THEN
        RETURN (SELECT to_char(sum(k.rows), 'FM999,999,999') || ' seed rows in written tables: a refill would cost more'
                  FROM pg_crucible.tracked k WHERE k.relid = ANY (bigs));
    END IF;
    FOR t IN SELECT * FROM pg_crucible.tracked WHERE relid = ANY (bigs) LOOP
        mine := pg_crucible.logged_keys(t, logs, keys);
        -- A plan for a few keys costs more than to use it, and one for few keys is wrong for many.
        PERFORM set_config('plan_cache_mode', CASE WHEN cardinality(mine) < 100 THEN 'force_generic_plan' ELSE 'auto' END, true);
        found := pg_crucible.restore_difference(t, most, mine);
        EXIT WHEN found IS NOT NULL;
    END LOOP;
    PERFORM set_config('plan_cache_mode', 'auto', true);
    RETURN found;
END $$;
