-- The baseline: the state to which the reset restores the database.

-- Whether row-level security hides rows from the control connection's role: no superuser, and without BYPASSRLS.
CREATE FUNCTION pg_crucible.unreadable(relation oid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT c.relrowsecurity AND c.relforcerowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
      FROM pg_class c, pg_roles r WHERE c.oid = relation AND r.rolname = current_user
$$;

-- For a role that may not set session_replication_role, so that foreign keys are checked and triggers fire: a table is
-- reset together with all tables that refer to it. This is impossible within a cycle of keys, and with triggers or rules.
CREATE FUNCTION pg_crucible.order_by_keys() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE reach ON COMMIT DROP AS
        WITH RECURSIVE edge(parent, child) AS (
            SELECT confrelid, conrelid FROM pg_constraint WHERE contype = 'f' AND confrelid <> conrelid
            UNION SELECT inhparent, inhrelid FROM pg_inherits
        ), reach(origin, relid) AS (
            SELECT parent, child FROM edge
            UNION SELECT r.origin, e.child FROM reach r JOIN edge e ON e.parent = r.relid
        ) SELECT origin, relid FROM reach;
    UPDATE pg_crucible.tracked k
       SET tree = k.tree || ARRAY(SELECT r.relid FROM reach r WHERE r.origin = k.relid),
           rank = (SELECT count(*) FROM reach r WHERE r.relid = k.relid),
           clone_only = k.clone_only
               OR EXISTS (SELECT FROM reach r WHERE r.origin = k.relid AND r.relid = k.relid)
               OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = k.relid AND NOT g.tgisinternal
                             AND g.tgenabled <> 'D' AND g.tgname NOT LIKE 'pg\_crucible\_%')
               OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = k.relid AND w.ev_enabled <> 'D');
    DROP TABLE reach;
END $$;

-- Make the present state of this database the baseline: track every table, keep its rows, record every sequence.
CREATE FUNCTION pg_crucible.seal() RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    t record;
BEGIN
    TRUNCATE pg_crucible.mark, pg_crucible.touched, pg_crucible.tracked, pg_crucible.seed, pg_crucible.refilled,
        pg_crucible.sequence, pg_crucible.layer_row, pg_crucible.layer_sequence, pg_crucible.ready;
    PERFORM pg_crucible.track();
    PERFORM pg_crucible.note_keys();
    IF current_setting('session_replication_role') <> 'replica' THEN
        PERFORM pg_crucible.order_by_keys();
    END IF;
    FOR t IN SELECT * FROM pg_crucible.tracked LOOP
        PERFORM pg_crucible.mark_table(t.relid);
        IF t.kind = 'r' AND NOT pg_crucible.unreadable(t.relid) THEN
            EXECUTE format('INSERT INTO pg_crucible.seed (relid, at, born, k, r) SELECT %s, x.ctid, x.xmin, %s, %s FROM ONLY %s x',
                t.relid, pg_crucible.key_text(t.key, 'x.'), t.whole, t.name);
        END IF;
    END LOOP;
    PERFORM pg_crucible.count_seeds(ARRAY(SELECT relid FROM pg_crucible.tracked));
    INSERT INTO pg_crucible.sequence
    SELECT c.oid, c.oid::regclass::text, 0, false, s.seqcache > 1, c.relpersistence = 'u'
      FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'pg_crucible';
    PERFORM pg_crucible.define_sequence_now();
    PERFORM pg_crucible.define_restore_tables();
    PERFORM pg_crucible.rehearse(ARRAY(SELECT relid FROM pg_crucible.tracked));
    PERFORM pg_crucible.define_restore_tables();
    PERFORM pg_crucible.log_many(ARRAY(SELECT relid FROM pg_crucible.tracked), false);
    PERFORM pg_crucible.note_sequences(0);
    PERFORM pg_crucible.note_schema();
    INSERT INTO pg_crucible.ready VALUES (pg_crucible.database_stamp());
END $$;

CREATE FUNCTION pg_crucible.track() RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_crucible.tracked (relid, kind, name, tree, columns, fields, whole, fragile, clone_only)
    SELECT c.oid, c.relkind, c.oid::regclass::text,
           ARRAY(WITH RECURSIVE below(relid) AS (SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i
                 JOIN below ON below.relid = i.inhparent) SELECT relid FROM below),
           coalesce('(' || a.columns || ') OVERRIDING SYSTEM VALUE', ''), coalesce(a.fields, ''),
           CASE WHEN a.virtual THEN 'ROW(' || a.stored || ')::text' ELSE '(x.*)::text' END,
           a.computed OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'x'))
           OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
                         AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)),
           EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
                      AND g.tgenabled IN ('A', 'R') AND g.tgname NOT LIKE 'pg\_crucible\_%')
           OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_enabled IN ('A', 'R'))
           OR pg_crucible.unreadable(c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL (
           SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FILTER (WHERE attgenerated = '') AS columns,
                  string_agg('(x.r).' || quote_ident(attname), ', ' ORDER BY attnum)
                      FILTER (WHERE attgenerated = '') AS fields,
                  string_agg(CASE attgenerated WHEN 'v' THEN 'NULL' ELSE 'x.' || quote_ident(attname) END, ', '
                      ORDER BY attnum) AS stored,
                  bool_or(attgenerated = 'v') AS virtual,
                  coalesce(bool_or(attgenerated = 's' OR atttypid >= 16384), false) AS computed
             FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
           ) a
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
       AND n.nspname <> 'information_schema' AND n.nspname <> 'pg_crucible'
$$;

-- Note the number of a table's seeds, which have changed, and decide whether it is restored by difference.
CREATE FUNCTION pg_crucible.note_seeds(relation oid, number bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pg_crucible.refilled WHERE relid = relation;
    UPDATE pg_crucible.tracked
       SET rows = number, big = number > pg_crucible.many(), filenode = pg_relation_filenode(relation) WHERE relid = relation;
END $$;

CREATE FUNCTION pg_crucible.count_seeds(relations oid[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_crucible.note_seeds(t.relid, (SELECT count(*) FROM pg_crucible.seed s WHERE s.relid = t.relid))
      FROM unnest(relations) AS t (relid)
$$;

-- Restore each of the tables once, and roll that back. Rows that return changed or not at all need a clone (a constraint
-- that is NOT VALID, a stored column whose function has changed since, a type whose text is incomplete).
-- If an expression needs the application's search_path, a path is searched under which it works.
CREATE FUNCTION pg_crucible.rehearse(relations oid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t pg_crucible.tracked;
    path text;
    works text;
BEGIN
    FOR t IN SELECT * FROM pg_crucible.tracked k WHERE k.relid = ANY (relations) AND k.kind = 'r' AND NOT k.clone_only
                AND k.rows > 0 AND (NOT k.big OR k.fragile AND current_setting('session_replication_role') = 'replica') LOOP
        works := NULL;
        FOREACH path IN ARRAY pg_crucible.search_paths(t.relid) LOOP
            works := CASE WHEN pg_crucible.comes_back(t, path) THEN path END;
            EXIT WHEN works IS NOT NULL;
        END LOOP;
        UPDATE pg_crucible.tracked SET clone_only = works IS NULL, search_path = nullif(works, pg_crucible.usual_path())
         WHERE relid = t.relid;
    END LOOP;
END $$;

CREATE FUNCTION pg_crucible.comes_back(t pg_crucible.tracked, path text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    differ boolean := false;
BEGIN
    PERFORM set_config('search_path', path, true);
    IF t.big THEN
        EXECUTE format('DELETE FROM ONLY %s WHERE ctid = ANY (ARRAY(SELECT at FROM pg_crucible.seed WHERE relid = %s '
            'ORDER BY place LIMIT 100))', t.name, t.relid);
        differ := pg_crucible.restore_difference(t, 100, NULL) IS NOT NULL;
    ELSE
        PERFORM pg_crucible.restore_tables(t.tree, ARRAY(
            SELECT o.relid FROM pg_crucible.tracked o WHERE o.relid = ANY (t.tree) AND o.rows > 0));
        EXECUTE format('SELECT EXISTS (SELECT r FROM pg_crucible.seed WHERE relid = %s '
            'EXCEPT ALL SELECT %s FROM ONLY %s x)', t.relid, t.whole, t.name) INTO differ;
    END IF;
    RAISE EXCEPTION USING ERRCODE = CASE WHEN differ THEN 'CRDIF' ELSE 'CRSAM' END;
EXCEPTION
    -- A wide fixture that has not finished holds a lock: that tells nothing about the table.
    WHEN SQLSTATE 'CRSAM' OR lock_not_available THEN RETURN true;
    WHEN OTHERS THEN RETURN false;
END $$;

-- The control connection's own search_path, which seal() replaces meanwhile.
CREATE FUNCTION pg_crucible.usual_path() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT reset_val FROM pg_settings WHERE name = 'search_path'
$$;

-- The search_paths under which a table's rows may be inserted, the likeliest first. The schema in which a CHECK finds
-- its functions does not change the rows, and the values of generated columns are compared.
CREATE FUNCTION pg_crucible.search_paths(relation oid) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY[pg_crucible.usual_path(), (
        SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.oid <> c.relnamespace, n.nspname <> 'public', n.nspname)
          FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pg_crucible'))]
      FROM pg_class c WHERE c.oid = relation
$$;

-- sequence_now() reads all sequences in one query. Before PostgreSQL 18 that is a UNION over all of them, as
-- the text of a function, because a view would make DROP SEQUENCE fail.
CREATE FUNCTION pg_crucible.define_sequence_now() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    body text := 'SELECT s.seqid, d.last_value, d.is_called FROM pg_crucible.sequence s, '
                 'LATERAL pg_get_sequence_data(s.seqid) d';
BEGIN
    IF current_setting('server_version_num')::integer < 180000 THEN
        body := coalesce((SELECT string_agg(format('SELECT %s::oid, q.last_value, q.is_called FROM %s q', seqid, name),
            ' UNION ALL ') FROM pg_crucible.sequence), 'SELECT 0::oid, 0::bigint, false WHERE false');
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION pg_crucible.sequence_now() '
        'RETURNS TABLE (seqid oid, last_value bigint, is_called boolean) LANGUAGE plpgsql STABLE ROWS 40 AS '
        '%L', 'BEGIN RETURN QUERY ' || body || '; END');
END $$;
