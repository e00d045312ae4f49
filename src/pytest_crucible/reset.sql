-- What Crucible installs into a template, below one schema of its own (here "pg_crucible": see reset.py).
-- The model, its limits and the reasons stand in the docstring of reset.py.

-- Marks: one row for each statement that wrote. Unlogged and without an index, so that no transaction ever
-- waits for another one here and SERIALIZABLE sees no false conflict.
--   relid > 1   that table was written
--   relid = 0   the schema changed (DDL)
--   relid = 1   the backend pid made a temporary object
CREATE UNLOGGED TABLE pg_crucible.mark (relid oid NOT NULL, pid integer);

-- Every sequence as the baseline has it. "always": its values are cached by sessions or not in the WAL.
CREATE TABLE pg_crucible.sequence (
    seqid oid PRIMARY KEY, name text NOT NULL, last_value bigint NOT NULL, is_called boolean NOT NULL,
    cached boolean NOT NULL, unlogged boolean NOT NULL
);

-- Every table that the reset knows: its children (partitions and heirs, itself included), how many rows the
-- baseline has, its rank among foreign keys (parents first), and whether only a fresh clone can put it back: a
-- rule or trigger that fires even under session_replication_role = replica, rows that we may not read or that would
-- not come back as they are.
CREATE TABLE pg_crucible.tracked (
    relid oid PRIMARY KEY, kind "char" NOT NULL, name text NOT NULL, tree oid[] NOT NULL, columns text NOT NULL,
    fields text NOT NULL, rows bigint NOT NULL DEFAULT 0,
    rank integer NOT NULL DEFAULT 0, clone_only boolean NOT NULL
);

-- The baseline's rows as text: no column here has a type of the application's, or DROP TYPE would fail.
CREATE TABLE pg_crucible.seed (relid oid NOT NULL, r text NOT NULL);
CREATE INDEX ON pg_crucible.seed (relid);

-- What the fixtures of wider scopes added (sign 1) and removed (sign -1): see layers.py.
CREATE TABLE pg_crucible.layer_row (layer integer NOT NULL, relid oid NOT NULL, sign integer NOT NULL, r text NOT NULL);
CREATE TABLE pg_crucible.layer_sequence (
    layer integer NOT NULL, seqid oid NOT NULL, last_value bigint NOT NULL, is_called boolean NOT NULL,
    taken timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (layer, seqid)
);

CREATE FUNCTION pg_crucible.mark_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO pg_crucible.mark VALUES (TG_RELID);
    RETURN NULL;
END $$;

CREATE FUNCTION pg_crucible.mark_table(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER pg_crucible_write BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT '
        'WHEN (current_setting(''pg_crucible.own'', true) IS DISTINCT FROM ''on'') '
        'EXECUTE FUNCTION pg_crucible.mark_write()', relation);
    EXECUTE format(
        'CREATE TRIGGER pg_crucible_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
        'WHEN (current_setting(''pg_crucible.own'', true) IS DISTINCT FROM ''on'') '
        'EXECUTE FUNCTION pg_crucible.mark_write()', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER pg_crucible_write', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER pg_crucible_truncate', relation);
END $$;

-- The state of what belongs to this database but fires no trigger: its own row in pg_database (GRANT ON
-- DATABASE, ALTER DATABASE), its comment, its settings, its large objects; CLUSTER; and what a command that works
-- CONCURRENTLY leaves when it fails, for then no event trigger runs. Row versions tell, not values.
CREATE FUNCTION pg_crucible.database_stamp() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN concat_ws('/',
        (SELECT concat(d.xmin, ',', (SELECT c.xmin FROM pg_shdescription c
                                      WHERE c.objoid = d.oid AND c.classoid = 'pg_database'::regclass))
           FROM pg_database d WHERE d.datname = current_database()),
        (SELECT string_agg(i.indexrelid::text || i.xmin::text, ',') FROM pg_index i
          WHERE i.indisclustered OR NOT i.indisvalid OR NOT i.indisready),
        (SELECT string_agg(i.inhrelid::text, ',') FROM pg_inherits i WHERE i.inhdetachpending),
        (SELECT string_agg(s.xmin::text || s.ctid::text, ',' ORDER BY s.ctid) FROM pg_db_role_setting s
          WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
        (SELECT string_agg(m.oid::text || m.xmin::text, ',' ORDER BY m.oid) FROM pg_largeobject_metadata m),
        pg_crucible.large_object_stamp(), pg_crucible.catalog_stamp());
END $$;

-- Written when the worker database is ready, read by every reset that finds the server's WAL moved.
CREATE TABLE pg_crucible.ready (stamp text NOT NULL);

-- Open transactions and session-level advisory locks of other backends in this database, and prepared transactions,
-- as JSON, or NULL.
-- "allowed": backends whose open transaction or lock is known and may stay.
-- "every": also those that are harmless: idle, without a transaction id, with no lock above ACCESS SHARE. The reset
-- takes no lock that waits for these.
CREATE FUNCTION pg_crucible.strangers(allowed integer[], every boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT json_agg(json_build_object(
        'pid', o.pid, 'state', o.state, 'query', o.query, 'open', o.since IS NOT NULL,
        'wrote', o.backend_xid IS NOT NULL, 'locks', o.locks, 'harmless', o.harmless,
        'since', extract(epoch FROM o.since), 'advisory', o.advisory))::text
      FROM (SELECT a.pid, a.state, a.query, a.backend_xid, coalesce(l.locks, false) AS locks,
                   -- An aborted transaction has no start any more.
                   coalesce(a.xact_start, CASE WHEN a.state LIKE '%aborted)' THEN a.state_change END) AS since,
                   coalesce(l.advisory, false) AS advisory,
                   a.state = 'idle in transaction' AND a.backend_xid IS NULL AND l.locks IS NOT TRUE AS harmless
              FROM pg_stat_get_activity(NULL) a
              LEFT JOIN (SELECT pid, bool_or(locktype = 'advisory') AS advisory,
                                bool_or(mode NOT IN ('AccessShareLock', 'SIReadLock') AND locktype <> 'virtualxid') AS locks
                           FROM pg_lock_status() GROUP BY pid) l ON l.pid = a.pid
             WHERE a.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND a.pid <> pg_backend_pid() AND a.leader_pid IS NULL AND a.backend_type = 'client backend'
               AND NOT a.pid = ANY (allowed)
               AND (a.xact_start IS NOT NULL OR l.advisory OR a.state LIKE '%aborted)')
             UNION ALL
            SELECT 0, 'prepared', p.gid, '0', true, p.prepared, false, false
              FROM pg_prepared_xacts p
             WHERE current_setting('max_prepared_transactions') <> '0' AND p.database = current_database()) o
     WHERE every OR NOT o.harmless);
END $$;

-- Put every sequence that moved back to the baseline; the setval() also makes the next nextval() write WAL.
-- A sequence whose values sessions cache is restarted, since only a new relfilenode makes other sessions
-- forget what they cached (init_sequence in sequence.c).
CREATE FUNCTION pg_crucible.place_sequence(seqid oid, last_value bigint, is_called boolean, cached boolean)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cached THEN
        EXECUTE format('ALTER SEQUENCE %s RESTART', seqid::regclass);
    END IF;
    PERFORM setval(seqid::regclass, last_value, is_called);
END $$;

-- One whose values are cached always counts as moved: a setval() can bring it back, and sessions keep their values.
-- On 18 each is compared as it is read, which takes a third of the time of a join with sequence_now(); the last
-- value alone is cheaper still, but NULL for one that was not called, wherever it stands.
CREATE FUNCTION pg_crucible.restore_sequences() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('server_version_num')::integer / 10000 = 18 THEN
        PERFORM pg_crucible.place_sequence(s.seqid, s.last_value, s.is_called, s.cached)
           FROM pg_crucible.sequence s
          WHERE s.cached OR CASE WHEN s.is_called THEN pg_sequence_last_value(s.seqid) IS DISTINCT FROM s.last_value
                            ELSE pg_get_sequence_data(s.seqid) IS DISTINCT FROM ROW(s.last_value, s.is_called) END;
    ELSE
        PERFORM pg_crucible.place_sequence(s.seqid, s.last_value, s.is_called, s.cached)
           FROM pg_crucible.sequence s JOIN pg_crucible.sequence_now() n USING (seqid)
          WHERE s.cached OR (n.last_value, n.is_called) IS DISTINCT FROM (s.last_value, s.is_called);
    END IF;
    RETURN FOUND;
END $$;

-- Take the sequences as they are now for the baseline, and remember those that moved for a layer.
CREATE FUNCTION pg_crucible.note_sequences(noted_layer integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT q.seqid, q.cached, n.last_value, n.is_called
               FROM pg_crucible.sequence q JOIN pg_crucible.sequence_now() n USING (seqid)
              WHERE (n.last_value, n.is_called) IS DISTINCT FROM (q.last_value, q.is_called) OR noted_layer = 0 LOOP
        PERFORM pg_crucible.place_sequence(s.seqid, s.last_value, s.is_called, s.cached);
        UPDATE pg_crucible.sequence q SET last_value = s.last_value, is_called = s.is_called WHERE q.seqid = s.seqid;
        INSERT INTO pg_crucible.layer_sequence VALUES (noted_layer, s.seqid, s.last_value, s.is_called)
            ON CONFLICT (layer, seqid) DO UPDATE
            SET last_value = s.last_value, is_called = s.is_called, taken = clock_timestamp();
    END LOOP;
END $$;

-- restore_tables() puts the marked tables back: delete everything, insert the baseline's rows; it returns the
-- dead rows that this leaves, by table. Its text is written for this schema, with one IF for each table,
-- because plpgsql keeps the plans of static statements and would plan an EXECUTE anew each time. ONLY, because
-- a mark has been widened to the whole tree before. Children go first and come back last; under
-- session_replication_role = replica, where no foreign key is checked, every rank is 0.
CREATE FUNCTION pg_crucible.define_restore_tables() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION pg_crucible.restore_tables(marked oid[], seeded oid[]) '
        'RETURNS jsonb LANGUAGE plpgsql AS %L',
        'DECLARE dead bigint; deaths jsonb := ''{}''; BEGIN ' || coalesce((
            SELECT string_agg(format(
                'IF %2$s = ANY (marked) THEN DELETE FROM ONLY %1$s; GET DIAGNOSTICS dead = ROW_COUNT; '
                'IF dead > 0 THEN deaths := deaths || jsonb_build_object(%3$L, dead); END IF; END IF; ',
                name, relid, name), '' ORDER BY rank DESC)
              FROM pg_crucible.tracked WHERE kind = 'r' AND NOT clone_only), '')
        || 'IF seeded IS NOT NULL THEN ' || coalesce((
            SELECT string_agg(format(
                'IF %4$s = ANY (seeded) THEN INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM '
                '(SELECT r::%1$s AS r FROM pg_crucible.seed WHERE relid = %4$s OFFSET 0) x; END IF; ',
                name, columns, fields, relid), '' ORDER BY rank)
              FROM pg_crucible.tracked WHERE kind = 'r' AND NOT clone_only), '') || 'END IF; RETURN deaths; END');
END $$;

-- The reset. One call a test: looks for open transactions, then for marks, then puts everything back.
-- "allowed" and "every_one": see strangers(). "held": the application holds a connection, or a transaction may be prepared.
-- Then strangers() is asked in any case: no lock tells of an aborted or a prepared transaction.
-- "most": more rows than this to refill, and a fresh clone is cheaper.
-- Returns NULL where nothing had to be done, else JSON with one of
--   open   other backends' transactions and advisory locks: nothing was put back yet
--   clone  why only a fresh clone can put this back: nothing was put back
--   dead, temporary   what the reset leaves to vacuum, and backends with temporary objects
CREATE FUNCTION pg_crucible.reset(allowed integer[], most bigint, held boolean, every_one boolean) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    marked oid[];
    tables oid[];
    seeded oid[];
    refill bigint;
    unfit boolean;
    wider boolean;
    found text;
    deaths jsonb;
    temporary jsonb;
    -- Before anything is read: what others do meanwhile must be found the next time.
    position text := pg_current_wal_insert_lsn();
    noted bigint;
BEGIN
    -- Other runs and our own say by advisory locks elsewhere that they live: only those of this database count.
    IF held OR EXISTS (SELECT FROM pg_lock_status() l WHERE l.pid <> pg_backend_pid()
                  AND (l.locktype = 'virtualxid' OR l.locktype = 'advisory'
                       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))) THEN
        found := pg_crucible.strangers(allowed, every_one);
        IF found IS NOT NULL THEN
            RETURN jsonb_build_object('open', found::jsonb);
        END IF;
    END IF;
    IF EXISTS (SELECT FROM pg_crucible.mark) THEN
        -- Taken and deleted at once: a mark that arrives from here on is the next reset's.
        WITH taken AS (DELETE FROM pg_crucible.mark RETURNING relid, pid)
        SELECT array_agg(DISTINCT relid), count(*), jsonb_agg(DISTINCT pid) FILTER (WHERE relid = 1)
          INTO marked, noted, temporary FROM taken;
    END IF;
    -- Sequences write WAL at the first nextval() after a setval(), also when it is rolled back, and so do
    -- large objects and every commit with a transaction id: WAL that has not moved means nothing to do.
    IF marked IS NULL AND current_setting('pg_crucible.wal', true) = position THEN
        RETURN NULL;
    END IF;
    IF 0 = ANY (marked) THEN
        RETURN '{"clone": "the schema changed"}';
    END IF;
    IF pg_crucible.database_stamp() IS DISTINCT FROM (SELECT stamp FROM pg_crucible.ready) THEN
        RETURN '{"clone": "large objects, settings or privileges of the database, or its catalog, changed"}';
    END IF;
    temporary := coalesce(temporary, pg_crucible.temporary_backends());
    IF marked IS NULL AND temporary IS NULL THEN
        IF NOT pg_crucible.restore_sequences() AND NOT EXISTS (SELECT FROM pg_crucible.sequence WHERE unlogged) THEN
            PERFORM set_config('pg_crucible.wal', position, false);
        END IF;
        RETURN NULL;
    END IF;
    -- Twice only where a mark means more than its own table: most schemas have no trees.
    LOOP
        SELECT array_agg(k.relid), array_agg(k.relid) FILTER (WHERE k.rows > 0), sum(k.rows), bool_or(k.clone_only),
               bool_or(NOT k.tree <@ marked)
          INTO tables, seeded, refill, unfit, wider FROM pg_crucible.tracked k WHERE k.relid = ANY (marked);
        EXIT WHEN wider IS NOT TRUE;
        SELECT array_agg(DISTINCT t.relid) INTO marked
          FROM pg_crucible.tracked m, unnest(m.tree) AS t(relid) WHERE m.relid = ANY (marked);
    END LOOP;
    IF unfit THEN
        RETURN '{"clone": "a table was written that cannot be put back: a trigger, rule, policy or constraint of its own stands in the way"}';
    END IF;
    IF refill > most THEN
        RETURN '{"clone": "many rows to refill"}';
    END IF;
    deaths := pg_crucible.restore_tables(tables, seeded) || jsonb_build_object('pg_crucible.mark', coalesce(noted, 0));
    PERFORM pg_crucible.restore_sequences();
    RETURN jsonb_build_object('dead', deaths, 'temporary', coalesce(temporary, '[]'));
END $$;

-- Whether row-level security hides rows from us, who are neither a superuser nor have BYPASSRLS.
CREATE FUNCTION pg_crucible.unreadable(relation oid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT c.relrowsecurity AND c.relforcerowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
      FROM pg_class c, pg_roles r WHERE c.oid = relation AND r.rolname = current_user
$$;

-- Where foreign keys are checked and triggers fire (we may not set session_replication_role): a table is put back
-- together with all that refers to it. Impossible within a circle of keys, and where a trigger or rule would act.
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

-- Take this database as it is now for the baseline: track every table, keep its rows, note every sequence.
-- "most": as for reset(); a table with more rows is never put back row by row.
CREATE FUNCTION pg_crucible.seal(most bigint) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    t record;
    kept bigint;
BEGIN
    TRUNCATE pg_crucible.mark, pg_crucible.tracked, pg_crucible.seed, pg_crucible.sequence, pg_crucible.layer_row,
        pg_crucible.layer_sequence, pg_crucible.ready;
    INSERT INTO pg_crucible.tracked (relid, kind, name, tree, columns, fields, clone_only)
    SELECT c.oid, c.relkind, c.oid::regclass::text,
           ARRAY(WITH RECURSIVE below(relid) AS (SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i
                 JOIN below ON below.relid = i.inhparent) SELECT relid FROM below),
           coalesce(a.columns, ''), coalesce(a.fields, ''),
           a.columns IS NULL
           OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
                         AND g.tgenabled IN ('A', 'R') AND g.tgname NOT LIKE 'pg\_crucible\_%')
           OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_enabled IN ('A', 'R'))
           OR pg_crucible.unreadable(c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN LATERAL (
           SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns,
                  string_agg('(x.r).' || quote_ident(attname), ', ' ORDER BY attnum) AS fields
             FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
           ) a ON true
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
       AND n.nspname <> 'information_schema' AND n.nspname <> 'pg_crucible';
    IF current_setting('session_replication_role') <> 'replica' THEN
        PERFORM pg_crucible.order_by_keys();
    END IF;
    FOR t IN SELECT k.relid, k.name, k.kind FROM pg_crucible.tracked k LOOP
        IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t.relid AND tgname = 'pg_crucible_write') THEN
            PERFORM pg_crucible.mark_table(t.relid);
        END IF;
        IF t.kind = 'r' AND NOT pg_crucible.unreadable(t.relid) THEN
            EXECUTE format('INSERT INTO pg_crucible.seed SELECT %s, (x.*)::text FROM ONLY %s x', t.relid, t.name);
            GET DIAGNOSTICS kept = ROW_COUNT;
            UPDATE pg_crucible.tracked SET rows = kept WHERE relid = t.relid;
        END IF;
    END LOOP;
    INSERT INTO pg_crucible.sequence
    SELECT c.oid, c.oid::regclass::text, 0, false, s.seqcache > 1, c.relpersistence = 'u'
      FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'pg_crucible';
    PERFORM pg_crucible.define_sequence_now();
    PERFORM pg_crucible.define_restore_tables();
    PERFORM pg_crucible.rehearse(most);
    PERFORM pg_crucible.define_restore_tables();
    PERFORM pg_crucible.note_sequences(0);
END $$;

-- Put each table back once, and undo that: rows that come back different or not at all (a constraint that is NOT
-- VALID, a stored column whose function has changed since, a type whose text does not say all) need a clone.
CREATE FUNCTION pg_crucible.rehearse(most bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
    differ boolean;
BEGIN
    FOR t IN SELECT k.relid, k.name, k.tree,
                    ARRAY(SELECT o.relid FROM pg_crucible.tracked o WHERE o.relid = ANY (k.tree) AND o.rows > 0) AS seeded
               FROM pg_crucible.tracked k
              WHERE k.kind = 'r' AND NOT k.clone_only AND k.rows BETWEEN 1 AND most LOOP
        BEGIN
            PERFORM pg_crucible.restore_tables(t.tree, t.seeded);
            EXECUTE format('SELECT EXISTS (SELECT r FROM pg_crucible.seed WHERE relid = %s '
                'EXCEPT ALL SELECT (x.*)::text FROM ONLY %s x)', t.relid, t.name) INTO differ;
            RAISE EXCEPTION USING ERRCODE = CASE WHEN differ THEN 'CRDIF' ELSE 'CRSAM' END;
        EXCEPTION
            WHEN SQLSTATE 'CRSAM' THEN NULL;
            WHEN OTHERS THEN UPDATE pg_crucible.tracked SET clone_only = true WHERE relid = t.relid;
        END;
    END LOOP;
END $$;

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

-- Layers: see layers.py. Rows are compared as text, as multisets.
-- Take what has changed since the baseline into the layer, and with it into the baseline.
-- Whether there was anything; NULL where only a copy of the whole database can be this layer.
CREATE FUNCTION pg_crucible.capture(taken_layer integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    t record;
    marked oid[];
BEGIN
    SELECT array_agg(DISTINCT relid) INTO marked FROM pg_crucible.mark WHERE relid <> 1;
    IF 0 = ANY (marked) OR pg_crucible.database_stamp() IS DISTINCT FROM (SELECT stamp FROM pg_crucible.ready)
       OR EXISTS (SELECT FROM pg_crucible.tracked WHERE relid = ANY (marked) AND clone_only) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_crucible.note_sequences(taken_layer);
    FOR t IN SELECT k.relid, k.name FROM pg_crucible.tracked k
              WHERE k.kind = 'r' AND k.relid IN (
                    SELECT unnest(m.tree) FROM pg_crucible.tracked m WHERE m.relid = ANY (marked)) LOOP
        EXECUTE format('INSERT INTO pg_crucible.layer_row SELECT %1$s, %2$s, 1, r FROM (SELECT (x.*)::text AS r FROM ONLY %3$s x '
            'EXCEPT ALL SELECT r FROM pg_crucible.seed WHERE relid = %2$s) d', taken_layer, t.relid, t.name);
        EXECUTE format('INSERT INTO pg_crucible.layer_row SELECT %1$s, %2$s, -1, r FROM (SELECT r FROM pg_crucible.seed '
            'WHERE relid = %2$s EXCEPT ALL SELECT (x.*)::text FROM ONLY %3$s x) d', taken_layer, t.relid, t.name);
        DELETE FROM pg_crucible.seed WHERE relid = t.relid;
        EXECUTE format('INSERT INTO pg_crucible.seed SELECT %s, (x.*)::text FROM ONLY %s x', t.relid, t.name);
    END LOOP;
    PERFORM pg_crucible.count_seeds();
    DELETE FROM pg_crucible.mark WHERE relid > 1;
    RETURN EXISTS (SELECT FROM pg_crucible.layer_row WHERE layer = taken_layer)
        OR EXISTS (SELECT FROM pg_crucible.layer_sequence WHERE layer = taken_layer);
END $$;

CREATE FUNCTION pg_crucible.count_seeds() RETURNS void LANGUAGE sql AS $$
    UPDATE pg_crucible.tracked k SET rows = n.rows
      FROM (SELECT t.relid, count(s.r) AS rows FROM pg_crucible.tracked t
              LEFT JOIN pg_crucible.seed s USING (relid) GROUP BY t.relid) n
     WHERE n.relid = k.relid AND n.rows <> k.rows
$$;

-- Take a layer off the baseline, in any order, and mark its tables so that the next reset puts them back.
-- A row that the layer added and a later layer has removed since is no longer that layer's to give back. A row that
-- it removed, and whose key a later layer has taken since, comes back when that one goes.
CREATE FUNCTION pg_crucible.take_off(gone integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT k.relid, k.name FROM pg_crucible.tracked k
              WHERE k.relid IN (SELECT relid FROM pg_crucible.layer_row WHERE layer = gone) LOOP
        CREATE TEMP TABLE added ON COMMIT DROP AS
            SELECT r FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid AND sign = 1
            EXCEPT ALL SELECT r FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid AND sign = -1;
        CREATE TEMP TABLE removed ON COMMIT DROP AS
            SELECT r FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid AND sign = -1
            EXCEPT ALL SELECT r FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid AND sign = 1;
        CREATE TEMP TABLE debt ON COMMIT DROP AS
            SELECT r FROM added EXCEPT ALL SELECT r FROM pg_crucible.seed WHERE relid = t.relid;
        CREATE TEMP TABLE rest ON COMMIT DROP AS
            SELECT r FROM pg_crucible.seed WHERE relid = t.relid EXCEPT ALL SELECT r FROM added;
        DELETE FROM pg_crucible.layer_row WHERE layer = gone AND relid = t.relid;
        PERFORM pg_crucible.forget(t.relid);
        PERFORM pg_crucible.hold_back(t.relid, t.name);
        DELETE FROM pg_crucible.seed WHERE relid = t.relid;
        INSERT INTO pg_crucible.seed SELECT t.relid, r FROM rest UNION ALL SELECT t.relid, r FROM removed;
        DROP TABLE added, removed, debt, rest;
        INSERT INTO pg_crucible.mark VALUES (t.relid);
    END LOOP;
    DELETE FROM pg_crucible.layer_sequence WHERE layer = gone;
    PERFORM pg_crucible.latest_sequences();
    PERFORM pg_crucible.count_seeds();
    PERFORM pg_crucible.restore_sequences();
END $$;

-- The sequences as the layer left them that took them last.
CREATE FUNCTION pg_crucible.latest_sequences() RETURNS void LANGUAGE sql AS $$
    UPDATE pg_crucible.sequence q SET last_value = l.last_value, is_called = l.is_called
      FROM (SELECT DISTINCT ON (seqid) * FROM pg_crucible.layer_sequence ORDER BY seqid, taken DESC) l
     WHERE l.seqid = q.seqid;
$$;

-- The rows of "debt" are not there to be removed: as many notes of their removal go, the oldest first.
CREATE FUNCTION pg_crucible.forget(relation oid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pg_crucible.layer_row WHERE ctid IN (
        SELECT o.place FROM (SELECT ctid AS place, r, row_number() OVER (PARTITION BY r ORDER BY ctid) AS number
                               FROM pg_crucible.layer_row WHERE relid = relation AND sign = -1) o
          JOIN (SELECT r, count(*) AS due FROM debt GROUP BY r) d ON d.r = o.r AND o.number <= d.due);
END $$;

-- Have the rows of "removed" that "rest" leaves no room for (a unique index says so) wait for the
-- latest layer that added to the table.
CREATE FUNCTION pg_crucible.hold_back(relation oid, name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    heir integer := (SELECT max(layer) FROM pg_crucible.layer_row WHERE relid = relation AND sign = 1);
BEGIN
    IF heir IS NULL OR NOT EXISTS (SELECT FROM removed)
       OR NOT EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND (indisunique OR indisexclusion)) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TEMP TABLE room (LIKE %s INCLUDING INDEXES) ON COMMIT DROP', name);
    EXECUTE format('INSERT INTO room SELECT (x.r).* FROM (SELECT r::%s AS r FROM rest OFFSET 0) x', name);
    EXECUTE format('INSERT INTO room SELECT (x.r).* FROM (SELECT r::%s AS r FROM removed OFFSET 0) x '
        'ON CONFLICT DO NOTHING', name);
    CREATE TEMP TABLE fit ON COMMIT DROP AS SELECT (x.*)::text AS r FROM room x EXCEPT ALL SELECT r FROM rest;
    INSERT INTO pg_crucible.layer_row
        SELECT heir, relation, -1, b.r FROM (SELECT r FROM removed EXCEPT ALL SELECT r FROM fit) b;
    DELETE FROM removed;
    INSERT INTO removed SELECT r FROM fit;
    DROP TABLE room, fit;
END $$;

-- Bring the layers in the temporary tables "carried" and "carried_sequence" here, from a database that goes: as far
-- as their tables are here, too, with the same columns. Returns the tables of which that is not so.
CREATE FUNCTION pg_crucible.carry() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    t record;
    lost text[] := '{}';
BEGIN
    FOR t IN SELECT k.relid, k.name FROM pg_crucible.tracked k WHERE k.relid IN (SELECT relid FROM carried) LOOP
        BEGIN
            EXECUTE format('SELECT (x.r).* FROM (SELECT r::%s AS r FROM carried WHERE relid = %s OFFSET 0) x',
                t.name, t.relid);
        EXCEPTION WHEN OTHERS THEN
            lost := lost || t.name;
            CONTINUE;
        END;
        CREATE TEMP TABLE taken ON COMMIT DROP AS
            SELECT r FROM carried WHERE relid = t.relid AND sign = -1
            EXCEPT ALL SELECT r FROM carried WHERE relid = t.relid AND sign = 1;
        CREATE TEMP TABLE debt ON COMMIT DROP AS
            SELECT r FROM taken EXCEPT ALL SELECT r FROM pg_crucible.seed WHERE relid = t.relid;
        CREATE TEMP TABLE rest ON COMMIT DROP AS
            SELECT r FROM carried WHERE relid = t.relid AND sign = 1
            EXCEPT ALL SELECT r FROM carried WHERE relid = t.relid AND sign = -1;
        CREATE TEMP TABLE removed ON COMMIT DROP AS
            SELECT r FROM pg_crucible.seed WHERE relid = t.relid EXCEPT ALL SELECT r FROM taken;
        INSERT INTO pg_crucible.layer_row SELECT * FROM carried WHERE relid = t.relid;
        PERFORM pg_crucible.forget(t.relid);
        PERFORM pg_crucible.hold_back(t.relid, t.name);
        DELETE FROM pg_crucible.seed WHERE relid = t.relid;
        INSERT INTO pg_crucible.seed SELECT t.relid, r FROM rest UNION ALL SELECT t.relid, r FROM removed;
        DROP TABLE taken, debt, rest, removed;
        INSERT INTO pg_crucible.mark VALUES (t.relid);
    END LOOP;
    INSERT INTO pg_crucible.layer_sequence
        SELECT * FROM carried_sequence WHERE seqid IN (SELECT seqid FROM pg_crucible.sequence);
    PERFORM pg_crucible.latest_sequences();
    PERFORM pg_crucible.count_seeds();
    DROP TABLE carried, carried_sequence;
    RETURN lost;
END $$;

-- Make the layers that were copied here, with their seeds, this fresh clone's baseline.
CREATE FUNCTION pg_crucible.adopt() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    relations oid[] := ARRAY(SELECT DISTINCT relid FROM pg_crucible.layer_row);
BEGIN
    PERFORM pg_crucible.count_seeds();
    PERFORM pg_crucible.restore_tables(relations, relations);
    PERFORM pg_crucible.latest_sequences();
    PERFORM pg_crucible.restore_sequences();
END $$;
