-- Layers: see isolation/layers.py. Rows are compared as text, as multisets; "place" is their order in the baseline.

-- Add the changes since the baseline to the layer, and so to the baseline.
-- Returns whether there were changes; NULL if only a copy of the whole database can be this layer.
CREATE FUNCTION pg_crucible.capture(taken_layer integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    t pg_crucible.tracked;
    before text;
    altered boolean := false;
    logs oid[];
    keys text[];
    marked oid[];
BEGIN
    -- Read and deleted in one statement, and marks before logs: what commits later belongs to the next reset.
    WITH taken AS (DELETE FROM pg_crucible.mark WHERE relid <> 1 RETURNING relid)
    SELECT array_agg(DISTINCT relid) INTO marked FROM taken;
    IF 0 = ANY (marked) THEN
        IF pg_crucible.schema_change() IS NOT NULL THEN
            RETURN NULL;
        END IF;
        altered := true;
        marked := marked || pg_crucible.altered_tables();
    END IF;
    marked := ARRAY(SELECT DISTINCT unnest(m.tree) FROM pg_crucible.tracked m WHERE m.relid = ANY (marked));
    IF (SELECT s.now IS DISTINCT FROM s.baseline FROM pg_crucible.stamps() s)
       OR EXISTS (SELECT FROM pg_crucible.tracked WHERE relid = ANY (marked) AND clone_only) THEN
        RETURN NULL;
    END IF;
    before := pg_crucible.known(marked);
    WITH taken AS (DELETE FROM pg_crucible.touched WHERE relid = ANY (marked) RETURNING relid, k)
    SELECT CASE WHEN NOT altered THEN coalesce(array_agg(relid), '{}') END, array_agg(k) INTO logs, keys FROM taken;
    FOR t IN SELECT * FROM pg_crucible.tracked k WHERE k.kind = 'r' AND k.relid = ANY (marked) LOOP
        PERFORM pg_crucible.capture_table(t, taken_layer, pg_crucible.logged_keys(t, logs, keys));
    END LOOP;
    -- After the rows: the values of those that were committed meanwhile are behind it.
    PERFORM pg_crucible.note_sequences(taken_layer);
    PERFORM pg_crucible.redefine(marked, before);
    before := pg_crucible.known(marked);
    PERFORM pg_crucible.rehearse_layer(marked);
    PERFORM pg_crucible.redefine(marked, before);
    IF EXISTS (SELECT FROM pg_crucible.tracked WHERE relid = ANY (marked) AND clone_only) THEN
        RETURN NULL;
    END IF;
    RETURN EXISTS (SELECT FROM pg_crucible.layer_row WHERE layer = taken_layer)
        OR EXISTS (SELECT FROM pg_crucible.layer_sequence WHERE layer = taken_layer);
END $$;

-- Add the new rows of a table behind those of the baseline, in their physical order. "keys": as in restore_difference().
CREATE FUNCTION pg_crucible.capture_table(t pg_crucible.tracked, taken_layer integer, keys text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    in_place boolean := t.big AND pg_relation_filenode(t.relid) = t.filenode;
    more bigint;
BEGIN
    IF t.rows = 0 AND NOT t.big THEN  -- most tables: nothing to compare with, and a plan of a quarter of the time
        EXECUTE format('WITH new AS (INSERT INTO pg_crucible.seed (relid, at, born, k, r) '
            '    SELECT %1$s, x.ctid, x.xmin, %3$s, %4$s FROM ONLY %5$s x ORDER BY x.ctid RETURNING place, r), '
            'noted AS (INSERT INTO pg_crucible.layer_row (layer, relid, sign, place, r) '
            '    SELECT %2$s, %1$s, 1, place, r FROM new RETURNING 1) '
            'SELECT count(*) FROM noted', t.relid, taken_layer, pg_crucible.key_text(t.key, 'x.'), t.whole, t.name) INTO more;
    ELSE
        EXECUTE pg_crucible.compared(t, NOT in_place, CASE WHEN in_place THEN keys END) || format(', gone AS ('
            '    DELETE FROM pg_crucible.seed s USING was LEFT JOIN here USING (r, n) '
            '    WHERE s.relid = %1$s AND s.place = was.place AND here.n IS NULL RETURNING s.place, s.r), '
            'moved AS (UPDATE pg_crucible.seed s SET at = here.at, born = here.born FROM was JOIN here USING (r, n) '
            '    WHERE s.relid = %1$s AND s.place = was.place AND %3$s), '
            'new AS (INSERT INTO pg_crucible.seed (relid, at, born, k, r) '
            '    SELECT %1$s, at, born, k, r FROM here LEFT JOIN was USING (r, n) WHERE was.n IS NULL ORDER BY at '
            '    RETURNING place, r), '
            'noted AS (INSERT INTO pg_crucible.layer_row (layer, relid, sign, place, r) '
            '    SELECT %2$s, %1$s, 1, place, r FROM new UNION ALL SELECT %2$s, %1$s, -1, place, r FROM gone RETURNING sign) '
            'SELECT coalesce(sum(sign), 0) FROM noted', t.relid, taken_layer, t.big::text) INTO more;
    END IF;
    PERFORM pg_crucible.note_seeds(t.relid, t.rows + more);
    PERFORM pg_crucible.identify(k) FROM pg_crucible.tracked k WHERE k.relid = t.relid AND k.big AND NOT t.big;
END $$;

-- Rehearse the tables of a layer: its rows may evaluate expressions that no row of the baseline has evaluated.
CREATE FUNCTION pg_crucible.rehearse_layer(relations oid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    weak oid[] := ARRAY(SELECT relid FROM pg_crucible.tracked WHERE relid = ANY (relations) AND fragile AND rows > 0);
BEGIN
    IF weak <> '{}' THEN
        PERFORM pg_crucible.rehearse(weak);
    END IF;
END $$;

-- The facts about the tables on which the text of restore_tables() and the triggers depend.
CREATE FUNCTION pg_crucible.known(relations oid[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', relid, clone_only, search_path, big), ',' ORDER BY relid)
      FROM pg_crucible.tracked WHERE relid = ANY (relations)
$$;
CREATE FUNCTION pg_crucible.redefine(relations oid[], before text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF pg_crucible.known(relations) IS DISTINCT FROM before THEN
        PERFORM pg_crucible.define_restore_tables();
        IF pg_crucible.log_many(relations, true) THEN
            PERFORM pg_crucible.note_schema();
        END IF;
        UPDATE pg_crucible.ready SET stamp = pg_crucible.database_stamp();
    END IF;
END $$;

-- Rehearse tables whose seeds are not in the tables yet.
CREATE FUNCTION pg_crucible.rehearse_seeds(relations oid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before text := pg_crucible.known(relations);
BEGIN
    PERFORM pg_crucible.count_seeds(relations);
    UPDATE pg_crucible.tracked SET big = false WHERE relid = ANY (relations);
    PERFORM pg_crucible.rehearse_layer(relations);
    PERFORM pg_crucible.count_seeds(relations);
    PERFORM pg_crucible.redefine(relations, before);
END $$;

-- The rows of the temporary table "a" without those of "b", as multisets; of equal rows the earliest stay.
CREATE FUNCTION pg_crucible.minus(a text, b text) RETURNS TABLE (place bigint, r text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT a.place, a.r '
        'FROM (SELECT q.*, row_number() OVER (PARTITION BY q.r ORDER BY q.place DESC) AS n FROM %I q) a LEFT JOIN '
        '(SELECT q.r, row_number() OVER (PARTITION BY q.r) AS n FROM %I q) b USING (r, n) '
        'WHERE b.n IS NULL ORDER BY a.place', a, b);
END $$;

-- Remove a layer from the baseline, in any order, and mark its tables so that the next reset restores them, and after
-- them their sequences.
-- If a later layer removed a row that this layer added, the later layer no longer restores it. A row that this layer
-- removed, and whose key a later layer has used since, returns when the later layer is removed.
-- Returns whether it was done: if a table has changed since, the layer's rows no longer fit it.
CREATE FUNCTION pg_crucible.take_off(gone integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    t pg_crucible.tracked;
    relations oid[] := ARRAY(SELECT DISTINCT relid FROM pg_crucible.layer_row WHERE layer = gone);
    before text := pg_crucible.known(relations);
BEGIN
    IF EXISTS (SELECT FROM pg_crucible.mark WHERE relid = 0)
       OR (SELECT s.now IS DISTINCT FROM s.baseline FROM pg_crucible.stamps() s) THEN
        RETURN false;
    END IF;
    FOR t IN SELECT * FROM pg_crucible.tracked k WHERE k.relid = ANY (relations) LOOP
        CONTINUE WHEN pg_crucible.take_rows_off(gone, t);
        CREATE TEMP TABLE plus ON COMMIT DROP AS
            SELECT place, r FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid AND sign = 1;
        CREATE TEMP TABLE less ON COMMIT DROP AS
            SELECT place, r FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid AND sign = -1;
        DELETE FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid;
        CREATE TEMP TABLE added ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('plus', 'less');
        CREATE TEMP TABLE coming ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('less', 'plus');
        CREATE TEMP TABLE was ON COMMIT DROP AS SELECT place, r FROM pg_crucible.seed WHERE relid = t.relid;
        CREATE TEMP TABLE debt ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('added', 'was');
        CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('was', 'added');
        PERFORM pg_crucible.settle(t);
        PERFORM pg_crucible.count_seeds(ARRAY[t.relid]);
        DROP TABLE plus, less, added, coming, was, debt, kept;
    END LOOP;
    DELETE FROM pg_crucible.layer_sequence WHERE layer = gone;
    PERFORM pg_crucible.latest_sequences();
    PERFORM pg_crucible.redefine(relations, before);
    RETURN true;
END $$;

-- Remove from the seeds of a table the rows of a layer that removed none, where no later layer has removed any of them.
-- Most layers are like that, and temporary tables cost ten times as much. Returns whether it was done.
CREATE FUNCTION pg_crucible.take_rows_off(gone integer, t pg_crucible.tracked) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    less bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_crucible.layer_row l
                 LEFT JOIN pg_crucible.seed s ON s.relid = l.relid AND s.place = l.place AND s.r = l.r
                WHERE l.layer = gone AND l.relid = t.relid AND (l.sign = -1 OR s.place IS NULL)) THEN
        RETURN false;
    END IF;
    WITH off AS (DELETE FROM pg_crucible.seed s USING pg_crucible.layer_row l
        WHERE l.layer = gone AND l.relid = t.relid AND s.relid = t.relid AND s.place = l.place RETURNING s.k)
    INSERT INTO pg_crucible.touched SELECT t.relid, off.k FROM off WHERE t.logged;
    DELETE FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid;
    GET DIAGNOSTICS less = ROW_COUNT;
    PERFORM pg_crucible.note_seeds(t.relid, t.rows - less);
    INSERT INTO pg_crucible.mark VALUES (t.relid);
    RETURN true;
END $$;

-- Make the rows of "kept" and "coming" the seeds of a table, and mark it.
CREATE FUNCTION pg_crucible.settle(t pg_crucible.tracked) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_crucible.forget(t.relid);
    PERFORM pg_crucible.hold_back(t);
    DELETE FROM pg_crucible.seed s WHERE s.relid = t.relid
       AND s.place NOT IN (SELECT place FROM kept UNION ALL SELECT place FROM coming);
    INSERT INTO pg_crucible.seed (relid, place, r)
        SELECT t.relid, q.place, q.r FROM (SELECT * FROM kept UNION ALL SELECT * FROM coming) q
         WHERE q.place NOT IN (SELECT s.place FROM pg_crucible.seed s WHERE s.relid = t.relid);
    IF t.key IS NOT NULL THEN
        EXECUTE format('UPDATE pg_crucible.seed s SET k = n.k FROM (SELECT q.place, %s AS k FROM (SELECT place, r::%s AS r '
            'FROM pg_crucible.seed WHERE relid = %s AND k IS NULL OFFSET 0) q, LATERAL (SELECT (q.r).*) x) n '
            'WHERE s.relid = %3$s AND s.place = n.place', pg_crucible.key_text(t.key, 'x.'), t.name, t.relid);
    END IF;
    INSERT INTO pg_crucible.mark VALUES (t.relid);
    INSERT INTO pg_crucible.touched SELECT t.relid, NULL WHERE t.logged;
END $$;

-- Set the sequences to the values of the latest layer that moved them.
CREATE FUNCTION pg_crucible.latest_sequences() RETURNS void LANGUAGE sql AS $$
    UPDATE pg_crucible.sequence q SET last_value = l.last_value, is_called = l.is_called
      FROM (SELECT DISTINCT ON (seqid) * FROM pg_crucible.layer_sequence ORDER BY seqid, taken DESC) l
     WHERE l.seqid = q.seqid;
$$;

-- The rows of "debt" do not exist any more: delete as many records of their removal, the oldest first.
CREATE FUNCTION pg_crucible.forget(relation oid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pg_crucible.layer_row WHERE ctid IN (
        SELECT o.at FROM (SELECT ctid AS at, r, row_number() OVER (PARTITION BY r ORDER BY ctid) AS number
                            FROM pg_crucible.layer_row WHERE relid = relation AND sign = -1) o
          JOIN (SELECT r, count(*) AS due FROM debt GROUP BY r) d ON d.r = o.r AND o.number <= d.due);
END $$;

-- Let the rows of "coming" that conflict with "kept" in a unique index wait for the latest layer that added rows to
-- the table.
CREATE FUNCTION pg_crucible.hold_back(t pg_crucible.tracked) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    heir integer := (SELECT max(layer) FROM pg_crucible.layer_row WHERE relid = t.relid AND sign = 1);
    usual text := current_setting('search_path');
BEGIN
    IF heir IS NULL OR NOT EXISTS (SELECT FROM coming)
       OR NOT EXISTS (SELECT FROM pg_index WHERE indrelid = t.relid AND (indisunique OR indisexclusion)) THEN
        RETURN;
    END IF;
    PERFORM set_config('search_path', coalesce(t.search_path, usual), true);
    EXECUTE format('CREATE TEMP TABLE room (LIKE %s INCLUDING INDEXES) ON COMMIT DROP', t.name);
    EXECUTE format('INSERT INTO room SELECT (x.r).* FROM (SELECT r::%s AS r FROM kept OFFSET 0) x', t.name);
    EXECUTE format('INSERT INTO room SELECT (x.r).* FROM (SELECT r::%s AS r FROM coming ORDER BY place OFFSET 0) x '
        'ON CONFLICT DO NOTHING', t.name);
    PERFORM set_config('search_path', usual, true);
    CREATE TEMP TABLE settled ON COMMIT DROP AS SELECT row_number() OVER () AS place, (x.*)::text COLLATE "C" AS r FROM room x;
    CREATE TEMP TABLE fit ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('settled', 'kept');
    CREATE TEMP TABLE wait ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('coming', 'fit');
    INSERT INTO pg_crucible.layer_row (layer, relid, sign, place, r) SELECT heir, t.relid, -1, w.place, w.r FROM wait w;
    DELETE FROM coming WHERE place IN (SELECT w.place FROM wait w);
    DROP TABLE room, settled, fit, wait;
END $$;

-- Add the layers in the temporary tables "carried" and "carried_sequence", from a database that was dropped, if their
-- tables exist here with the same columns. Returns the tables that do not.
CREATE FUNCTION pg_crucible.carry() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    t pg_crucible.tracked;
    lost text[] := '{}';
BEGIN
    PERFORM pg_crucible.give_places();
    FOR t IN SELECT * FROM pg_crucible.tracked k WHERE k.relid IN (SELECT relid FROM carried) LOOP
        IF NOT pg_crucible.can_read(t) THEN
            lost := lost || t.name;
            CONTINUE;
        END IF;
        CREATE TEMP TABLE plus ON COMMIT DROP AS SELECT place, r FROM carried WHERE relid = t.relid AND sign = 1;
        CREATE TEMP TABLE less ON COMMIT DROP AS SELECT place, r FROM carried WHERE relid = t.relid AND sign = -1;
        CREATE TEMP TABLE was ON COMMIT DROP AS SELECT place, r FROM pg_crucible.seed WHERE relid = t.relid;
        CREATE TEMP TABLE taken ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('less', 'plus');
        CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('plus', 'less');
        CREATE TEMP TABLE debt ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('taken', 'was');
        CREATE TEMP TABLE coming ON COMMIT DROP AS SELECT * FROM pg_crucible.minus('was', 'taken');
        INSERT INTO pg_crucible.layer_row SELECT * FROM carried WHERE relid = t.relid;
        PERFORM pg_crucible.settle(t);
        DROP TABLE plus, less, was, taken, kept, debt, coming;
    END LOOP;
    INSERT INTO pg_crucible.layer_sequence
        SELECT * FROM carried_sequence WHERE seqid IN (SELECT seqid FROM pg_crucible.sequence);
    PERFORM pg_crucible.latest_sequences();
    PERFORM pg_crucible.rehearse_seeds(ARRAY(SELECT DISTINCT relid FROM carried));
    DROP TABLE carried, carried_sequence;
    RETURN lost;
END $$;

-- Places are valid in one database only. A removed row gets the place of an equal row here, any other row the last.
CREATE FUNCTION pg_crucible.give_places() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE carried c SET place = n.place
      FROM (SELECT o.at, nextval('pg_crucible.place') AS place
              FROM (SELECT ctid AS at FROM carried ORDER BY place OFFSET 0) o) n WHERE n.at = c.ctid;
    UPDATE carried c SET place = s.place
      FROM (SELECT relid, r, place, row_number() OVER (PARTITION BY relid, r ORDER BY place DESC) AS n
              FROM pg_crucible.seed WHERE relid IN (SELECT relid FROM carried)) s
      JOIN (SELECT ctid AS at, relid, r, row_number() OVER (PARTITION BY relid, r ORDER BY place DESC) AS n
              FROM carried WHERE sign = -1) o USING (relid, r, n) WHERE o.at = c.ctid;
END $$;

CREATE FUNCTION pg_crucible.can_read(t pg_crucible.tracked) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT (x.r).* FROM (SELECT r::%s AS r FROM carried WHERE relid = %s OFFSET 0) x', t.name, t.relid);
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;

-- Make the copied layers, with their seeds, the baseline of this fresh clone.
CREATE FUNCTION pg_crucible.adopt() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    relations oid[] := ARRAY(SELECT DISTINCT relid FROM pg_crucible.layer_row);
BEGIN
    PERFORM setval('pg_crucible.place', greatest(nextval('pg_crucible.place'),
        (SELECT max(place) FROM pg_crucible.seed), (SELECT max(place) FROM pg_crucible.layer_row)));
    PERFORM pg_crucible.rehearse_seeds(relations);
    PERFORM pg_crucible.restore_tables(relations, relations);
    PERFORM pg_crucible.identify(t) FROM pg_crucible.tracked t WHERE t.relid = ANY (relations) AND t.big;
    PERFORM pg_crucible.latest_sequences();
    PERFORM pg_crucible.restore_sequences(false);
END $$;
