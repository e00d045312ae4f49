-- The objects that Crucible installs into a template, all in one schema (here "pg_crucible": see rights.py).
-- The docstring of reset.py explains the model, its limits and the reasons.

-- Marks: one row for each statement that wrote. The table is unlogged and has no index, so that no transaction
-- waits for another one here and SERIALIZABLE finds no false conflict.
--   relid > 1   that table was written
--   relid = 0   the schema changed (DDL)
--   relid = 1   the backend pid made a temporary object
CREATE UNLOGGED TABLE pg_crucible.mark (relid oid NOT NULL, pid integer);

-- Every sequence of the baseline. "always": sessions cache its values, or it writes no WAL.
CREATE TABLE pg_crucible.sequence (
    seqid oid PRIMARY KEY, name text NOT NULL, last_value bigint NOT NULL, is_called boolean NOT NULL,
    cached boolean NOT NULL, unlogged boolean NOT NULL
);

-- Every table that the reset knows.
--   tree          its children (partitions and inheriting tables), itself included
--   columns       the columns that an INSERT names; fields: the values for them, taken from a row "x.r"
--   whole         the text of the row "x". Virtual columns are left out: reading one may raise an error.
--   rows          the number of rows in the baseline
--   rank          its position in the order of foreign keys, parents first
--   clone_only    only a fresh clone can restore it: a rule or trigger fires even under session_replication_role =
--                 replica, or the role may not read its rows, or inserted rows would differ from the baseline's
--   big           restored by difference: see restore_difference(); "filenode" is the file in which "at" is valid
--   key           the columns of the primary key by which it can be compared, and their types: see reset_keys.sql
--   logs          the tables whose triggers log its keys, if they exist ("logged")
--   fragile       inserting its rows evaluates expressions, so a rehearsal is worth its time
--   search_path   the path under which its rows can be inserted, if it is not that of the control connection
CREATE TABLE pg_crucible.tracked (
    relid oid PRIMARY KEY, kind "char" NOT NULL, name text NOT NULL, tree oid[] NOT NULL, columns text NOT NULL,
    fields text NOT NULL, whole text NOT NULL, rows bigint NOT NULL DEFAULT 0,
    rank integer NOT NULL DEFAULT 0, clone_only boolean NOT NULL, big boolean NOT NULL DEFAULT false, filenode oid, fragile boolean NOT NULL,
    search_path text, key text[], key_types text[], logs oid[], logged boolean NOT NULL DEFAULT false
);

-- The baseline's rows as text: no column here may have a type of the application, or its DROP TYPE would fail.
-- "place" is their order, "k" their key. "at" and "born" are ctid and xmin of the row, and valid for tables that are
-- "big".
CREATE SEQUENCE pg_crucible.place;
CREATE TABLE pg_crucible.seed (
    relid oid NOT NULL, place bigint NOT NULL DEFAULT nextval('pg_crucible.place'), at tid, born xid,
    k text COLLATE "C", r text COLLATE "C" NOT NULL
);
CREATE INDEX ON pg_crucible.seed (relid, place);
CREATE INDEX ON pg_crucible.seed (relid, k) WHERE k IS NOT NULL;

-- The transaction that inserted all of a table's seeds again. A row with this xmin is the baseline's, and unchanged:
-- a test that only added rows leaves nothing to insert.
CREATE UNLOGGED TABLE pg_crucible.refilled (relid oid PRIMARY KEY, born xid NOT NULL);

-- The rows that wide fixtures added (sign 1) and removed (sign -1): see isolation/layers.py.
CREATE TABLE pg_crucible.layer_row (
    layer integer NOT NULL, relid oid NOT NULL, sign integer NOT NULL, place bigint NOT NULL, r text COLLATE "C" NOT NULL
);
CREATE TABLE pg_crucible.layer_sequence (
    layer integer NOT NULL, seqid oid NOT NULL, last_value bigint NOT NULL, is_called boolean NOT NULL,
    taken timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (layer, seqid)
);

-- The key that only the control connection knows: its statements leave no marks.
CREATE TABLE pg_crucible.key (own text NOT NULL);
INSERT INTO pg_crucible.key VALUES (gen_random_uuid());

CREATE FUNCTION pg_crucible.mark_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO pg_crucible.mark VALUES (TG_RELID);
    RETURN NULL;
END $$;

CREATE FUNCTION pg_crucible.mark_table(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_crucible.put_trigger(relation, 'write', 'BEFORE INSERT OR UPDATE OR DELETE', 'pg_crucible.mark_write()', '');
    PERFORM pg_crucible.put_trigger(relation, 'truncate', 'BEFORE TRUNCATE', 'pg_crucible.mark_write()', '');
END $$;

-- Create and enable a trigger of a table, in whatever state a wide fixture left it. Its condition excludes the
-- statements of the control connection, which alone knows the key; the condition contains only its hash.
CREATE FUNCTION pg_crucible.put_trigger(relation regclass, name text, events text, call text, transition text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = relation AND g.tgname = 'pg_crucible_' || name
                  AND g.tgenabled = 'A' AND g.tgfoid = call::regprocedure) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE OR REPLACE TRIGGER pg_crucible_%s %s ON %s %s FOR EACH STATEMENT '
        'WHEN (hashtextextended(current_setting(''pg_crucible.own'', true), 0) IS DISTINCT FROM %L::bigint) '
        'EXECUTE FUNCTION %s', name, events, relation, 'REFERENCING ' || nullif(transition, ''),
        (SELECT hashtextextended(own, 0) FROM pg_crucible.key), call);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER pg_crucible_%s', relation, name);
END $$;

-- The state of this database in catalogs that the whole server shares: its own row in pg_database (GRANT ON DATABASE,
-- ALTER DATABASE), its comment and settings. It compares row versions, not values, as the next one does. The control
-- connection remembers it from its beginning, since each clone has rows of its own there.
CREATE FUNCTION pg_crucible.shared_stamp() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN concat_ws('/',
        (SELECT concat(d.xmin, ',', (SELECT c.xmin FROM pg_shdescription c
                                      WHERE c.objoid = d.oid AND c.classoid = 'pg_database'::regclass))
           FROM pg_database d WHERE d.datname = current_database()),
        (SELECT concat(string_agg(s.xmin::text || s.ctid::text, ',' ORDER BY s.ctid)) FROM pg_db_role_setting s
          WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())));
END $$;

-- The state of this database's other objects that fire no trigger: large objects; CLUSTER; and the remains of a failed
-- command with CONCURRENTLY, for which no event trigger runs. It is the same in a clone as in the template.
CREATE FUNCTION pg_crucible.database_stamp() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN concat_ws('/',
        (SELECT concat(string_agg(i.indexrelid::text || i.xmin::text, ',')) FROM pg_index i
          WHERE i.indisclustered OR NOT i.indisvalid OR NOT i.indisready),
        (SELECT concat(string_agg(i.inhrelid::text, ',')) FROM pg_inherits i WHERE i.inhdetachpending),
        (SELECT concat(string_agg(m.oid::text || m.xmin::text, ',' ORDER BY m.oid)) FROM pg_largeobject_metadata m),
        concat(pg_crucible.large_object_stamp()), pg_crucible.catalog_stamp());
END $$;

-- The stamp of the baseline, which seal() writes. A reset reads it if the server's WAL has moved.
CREATE TABLE pg_crucible.ready (stamp text NOT NULL);

-- The stamps now, and those of the baseline.
CREATE FUNCTION pg_crucible.stamps(OUT now text, OUT baseline text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    now := concat_ws('/', pg_crucible.shared_stamp(), pg_crucible.database_stamp());
    baseline := concat_ws('/', current_setting('pg_crucible.shared'), (SELECT stamp FROM pg_crucible.ready));
END $$;

-- The differences of the stamps from those of the baseline, in words.
CREATE FUNCTION pg_crucible.stamp_change() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT coalesce((ARRAY['privileges or properties of the database', 'settings of the database',
        'CLUSTER or an invalid index', 'a partition that is half detached', 'large objects', 'large objects'])[n],
        'the schema changed (DDL)'), ', ')
      FROM (SELECT n FROM pg_crucible.stamps() s, regexp_split_to_table(s.now, '/') WITH ORDINALITY AS now (part, n)
              FULL JOIN (SELECT t.* FROM pg_crucible.stamps() b, regexp_split_to_table(b.baseline, '/')
                         WITH ORDINALITY AS t (part, n)) old USING (n)
             WHERE now.part IS DISTINCT FROM old.part) differing
$$;

-- Open transactions and session-level advisory locks of other backends in this database, and prepared transactions,
-- as JSON, or NULL.
-- "allowed": backends whose open transaction or lock is known and may stay.
-- "every": includes harmless backends: idle, without a transaction id, with no lock above ACCESS SHARE. The reset
-- takes no lock that waits for these.
CREATE FUNCTION pg_crucible.strangers(allowed integer[], every boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT json_agg(json_build_object(
        'pid', o.pid, 'state', o.state, 'query', o.query, 'open', o.since IS NOT NULL,
        'wrote', o.wrote, 'locks', o.locks, 'harmless', o.harmless,
        'since', extract(epoch FROM o.since)))::text
      FROM (SELECT a.pid, a.state, a.query, coalesce(l.locks, false) AS locks,
                   a.backend_xid IS NOT NULL AND coalesce(l.locks, false) AS wrote,
                   -- An aborted transaction no longer has a start time.
                   coalesce(a.xact_start, CASE WHEN a.state LIKE '%aborted)' THEN a.state_change END) AS since,
                   a.state = 'idle in transaction' AND a.backend_xid IS NULL AND NOT coalesce(l.locks OR l.sequences, false) AS harmless
              FROM pg_stat_get_activity(NULL) a
              LEFT JOIN (SELECT pid, bool_or(locktype = 'advisory') AS advisory,
                                bool_or(above AND NOT sequence) AS locks, bool_or(above AND sequence) AS sequences
                           FROM pg_lock_status(),
                                -- The lock on a transaction's own id only accompanies its writes.
                                LATERAL (SELECT mode NOT IN ('AccessShareLock', 'SIReadLock')
                                                AND locktype NOT IN ('virtualxid', 'transactionid')) AS s (above),
                                -- The lock of nextval() outlives ROLLBACK TO SAVEPOINT; locks of written tables do not.
                                LATERAL (SELECT mode = 'RowExclusiveLock' AND EXISTS (
                                    SELECT FROM pg_class c WHERE c.oid = relation AND c.relkind = 'S')) AS q (sequence)
                          GROUP BY pid) l ON l.pid = a.pid
             WHERE a.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND a.pid <> pg_backend_pid() AND a.leader_pid IS NULL AND a.backend_type = 'client backend'
               AND NOT a.pid = ANY (allowed)
               -- A starting backend reads the catalog in a transaction, and has no state until it is ready.
               AND coalesce(a.state, 'starting') <> 'starting'
               AND (a.xact_start IS NOT NULL OR l.advisory OR a.state LIKE '%aborted)')
             UNION ALL
            SELECT 0, 'prepared', p.gid, true, true, p.prepared, false
              FROM pg_prepared_xacts p
             WHERE current_setting('max_prepared_transactions') <> '0' AND p.database = current_database()) o
     WHERE every OR NOT o.harmless);
END $$;

-- Reset one sequence to the baseline; the setval() also makes the next nextval() write WAL.
-- A sequence whose values sessions cache is restarted, since only a new relfilenode makes other sessions
-- discard their cached values (init_sequence in sequence.c).
CREATE FUNCTION pg_crucible.place_sequence(seqid oid, last_value bigint, is_called boolean, cached boolean)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cached THEN
        EXECUTE format('ALTER SEQUENCE %s RESTART', seqid::regclass);
    END IF;
    PERFORM setval(seqid::regclass, last_value, is_called);
END $$;

-- Reset every sequence that moved. A cached one always counts as moved: a setval() may have set it to its old value
-- while sessions keep their cached ones. On 18 each sequence is compared as it is read, which takes a third of the time
-- of a join with sequence_now(); the last value alone is cheaper still, but NULL for a sequence that was not called.
-- "shared": other backends may go on meanwhile.
CREATE FUNCTION pg_crucible.restore_sequences(shared boolean) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    moved oid[];
BEGIN
    IF current_setting('server_version_num')::integer / 10000 = 18 THEN
        SELECT array_agg(s.seqid) INTO moved
          FROM pg_crucible.sequence s
         WHERE s.cached OR CASE WHEN s.is_called THEN pg_sequence_last_value(s.seqid) IS DISTINCT FROM s.last_value
                           ELSE pg_get_sequence_data(s.seqid) IS DISTINCT FROM ROW(s.last_value, s.is_called) END;
    ELSE
        SELECT array_agg(s.seqid) INTO moved
          FROM pg_crucible.sequence s JOIN pg_crucible.sequence_now() n USING (seqid)
         WHERE s.cached OR (n.last_value, n.is_called) IS DISTINCT FROM (s.last_value, s.is_called);
    END IF;
    IF moved IS NOT NULL AND shared THEN
        PERFORM pg_crucible.place_shared_sequences(moved);
    ELSIF moved IS NOT NULL THEN
        PERFORM pg_crucible.place_sequence(seqid, last_value, is_called, cached)
           FROM pg_crucible.sequence WHERE seqid = ANY (moved);
    END IF;
    RETURN moved IS NOT NULL;
END $$;

-- Reset sequences so that no writing transaction of another backend gets a value twice. One that such a transaction uses
-- stays as it is.
CREATE FUNCTION pg_crucible.place_shared_sequences(moved oid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    used oid[] := pg_crucible.sequences_in_use();
    free oid[];
    before bigint[];
BEGIN
    -- First those whose other users wait from here until the end of the reset: this takes long.
    PERFORM pg_crucible.place_sequence(seqid, last_value, is_called, cached)
       FROM pg_crucible.sequence WHERE cached AND seqid = ANY (moved) AND NOT seqid = ANY (used);
    IF FOUND THEN
        used := pg_crucible.sequences_in_use();
    END IF;
    SELECT array_agg(seqid), array_agg(coalesce(pg_sequence_last_value(seqid), last_value)) INTO free, before
      FROM pg_crucible.sequence WHERE NOT cached AND seqid = ANY (moved) AND NOT seqid = ANY (used);
    PERFORM pg_crucible.place_sequence(seqid, last_value, is_called, cached)
       FROM pg_crucible.sequence WHERE seqid = ANY (free);
    PERFORM pg_crucible.move_on(free, before);
END $$;

-- Return those of the sequences "placed" that transactions have come to use since it was looked for such: they may have
-- taken values before the setval(). Each goes on behind these, with a distance for those that come meanwhile. Such a
-- transaction holds its lock still, or has committed its mark: the locks are read first.
CREATE FUNCTION pg_crucible.move_on(placed oid[], before bigint[]) RETURNS oid[] LANGUAGE plpgsql AS $$
DECLARE
    late oid[] := pg_crucible.sequences_in_use();
BEGIN
    IF EXISTS (SELECT FROM pg_crucible.mark) THEN
        late := late || ARRAY(
            SELECT d.objid FROM pg_crucible.mark m JOIN pg_depend d ON d.refobjid = m.relid
             WHERE d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
             UNION ALL
            SELECT d.refobjid FROM pg_crucible.mark m JOIN pg_attrdef a ON a.adrelid = m.relid JOIN pg_depend d ON d.objid = a.oid
             WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass);
    END IF;
    IF NOT late && placed THEN
        RETURN '{}';
    END IF;
    PERFORM setval(p.seqrelid::regclass, CASE
               WHEN b.last_value + 100 * p.seqincrement::numeric BETWEEN p.seqmin AND p.seqmax
               THEN (b.last_value + 100 * p.seqincrement::numeric)::bigint ELSE b.last_value END)
       FROM unnest(placed, before) AS b (seqid, last_value) JOIN pg_sequence p ON p.seqrelid = b.seqid
      WHERE b.seqid = ANY (late);
    RETURN ARRAY(SELECT unnest(placed) INTERSECT SELECT unnest(late));
END $$;

-- The sequences whose nextval() open transactions of other backends have called that write, too: transactions of wide
-- fixtures and of tasks. What a test leaves open is ended before, unless it has nothing but the lock of nextval(), which
-- outlives ROLLBACK TO SAVEPOINT.
CREATE FUNCTION pg_crucible.sequences_in_use() RETURNS oid[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN (WITH held AS MATERIALIZED (
            SELECT pid, relation, mode = 'RowExclusiveLock' AND EXISTS (
                       SELECT FROM pg_class c WHERE c.oid = relation AND c.relkind = 'S') AS is_sequence
              FROM pg_lock_status()
             WHERE pid <> pg_backend_pid() AND mode NOT IN ('AccessShareLock', 'SIReadLock')
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        SELECT coalesce(array_agg(s.relation), '{}') FROM held s
         WHERE is_sequence AND EXISTS (SELECT FROM held w WHERE w.pid = s.pid AND NOT w.is_sequence));
END $$;

-- Make the present sequences the baseline, and record those that moved for a layer.
CREATE FUNCTION pg_crucible.note_sequences(noted_layer integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s record;
    used oid[] := pg_crucible.sequences_in_use();
    placed oid[] := '{}';
    before bigint[] := '{}';
    late oid[];
BEGIN
    FOR s IN SELECT q.seqid, q.cached, n.last_value, n.is_called
               FROM pg_crucible.sequence q JOIN pg_crucible.sequence_now() n USING (seqid)
              WHERE (n.last_value, n.is_called) IS DISTINCT FROM (q.last_value, q.is_called) OR noted_layer = 0 LOOP
        IF NOT s.seqid = ANY (used) THEN
            PERFORM pg_crucible.place_sequence(s.seqid, s.last_value, s.is_called, s.cached);
            placed := placed || s.seqid;
            before := before || s.last_value;
        END IF;
        PERFORM pg_crucible.note_sequence(noted_layer, s.seqid, s.last_value, s.is_called);
    END LOOP;
    late := pg_crucible.move_on(placed, before);
    IF late <> '{}' THEN
        PERFORM pg_crucible.note_sequence(noted_layer, n.seqid, n.last_value, n.is_called)
           FROM pg_crucible.sequence_now() n WHERE n.seqid = ANY (late);
    END IF;
END $$;

CREATE FUNCTION pg_crucible.note_sequence(noted_layer integer, noted oid, value bigint, called boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pg_crucible.sequence q SET last_value = value, is_called = called WHERE q.seqid = noted;
    INSERT INTO pg_crucible.layer_sequence VALUES (noted_layer, noted, value, called)
        ON CONFLICT (layer, seqid) DO UPDATE
        SET last_value = excluded.last_value, is_called = excluded.is_called, taken = clock_timestamp();
END $$;

-- restore_tables() restores the marked tables: it deletes the rows that are not the baseline's, inserts the baseline's in
-- their order if one of them is missing, and returns the dead rows that this leaves, by table. Its text is written for
-- this schema, with one IF for each table, because plpgsql keeps the plans of static statements and would plan an
-- EXECUTE anew each time. It uses ONLY, because a mark has been extended to the whole tree before.
-- A variable wins over a column of the application that has its name.
CREATE FUNCTION pg_crucible.define_restore_tables() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statements text;
BEGIN
    IF current_setting('session_replication_role') = 'replica' THEN
        SELECT pg_crucible.in_groups('marked', array_agg(relid), array_agg(pg_crucible.restoration(k))) INTO statements
          FROM pg_crucible.tracked k WHERE kind = 'r' AND NOT clone_only;
    ELSE
        -- Foreign keys are checked: children are deleted first and inserted last.
        SELECT pg_crucible.in_groups('marked', array_agg(relid ORDER BY rank DESC), array_agg(format(
                   'IF %s = ANY (marked) THEN %s END IF; ', relid, pg_crucible.deletion(k, '')) ORDER BY rank DESC))
               || pg_crucible.in_groups('seeded', array_agg(relid ORDER BY rank), array_agg(format(
                   'IF %s = ANY (seeded) THEN %s END IF; ', relid, pg_crucible.insertion(k)) ORDER BY rank))
          INTO statements FROM pg_crucible.tracked k WHERE kind = 'r' AND NOT clone_only;
    END IF;
    PERFORM pg_crucible.define_restore_difference();
    EXECUTE format('CREATE OR REPLACE FUNCTION pg_crucible.restore_tables(marked oid[], seeded oid[]) '
        'RETURNS jsonb LANGUAGE plpgsql AS %L', $body$
        #variable_conflict use_variable
        DECLARE
            dead bigint; deaths jsonb := '{}'; lies tid[]; usual text := current_setting('search_path');
            born xid[]; counts bigint[]; n integer; unchanged bigint;
        BEGIN
            IF seeded IS NOT NULL THEN
                SELECT array_agg(k.relid), array_agg(f.born), array_agg(k.rows) INTO seeded, born, counts
                  FROM pg_crucible.tracked k LEFT JOIN pg_crucible.refilled f USING (relid) WHERE k.relid = ANY (seeded);
            END IF;
        $body$ || coalesce(statements, '') || 'RETURN deaths; END');
END $$;

-- The statements of tables in their order, in groups that are skipped if the array "wanted" has none of their tables: a
-- condition costs a microsecond, and a schema may have a thousand tables.
CREATE FUNCTION pg_crucible.in_groups(wanted text, relids oid[], statements text[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('IF %I && %L::oid[] THEN %s END IF; ', wanted, relids[first:first + 31],
        array_to_string(statements[first:first + 31], '')), '' ORDER BY first)
      FROM generate_series(1, cardinality(relids), 32) AS first
$$;

CREATE FUNCTION pg_crucible.deletion(t pg_crucible.tracked, condition text) RETURNS text LANGUAGE sql AS $$
    SELECT format('DELETE FROM ONLY %1$s %2$s; GET DIAGNOSTICS dead = ROW_COUNT; '
        'IF dead > 0 THEN deaths := deaths || jsonb_build_object(%1$L, dead); END IF;', t.name, condition)
$$;

-- The statements that insert the baseline's rows. PostgreSQL inserts rows into the space of vacuumed ones, page after
-- page and then from the first again. Rows in the wrong order are inserted once more, when that space is used up.
-- Dead rows fill the page of a small table too.
CREATE FUNCTION pg_crucible.insertion(t pg_crucible.tracked) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    statements text := format('FOR attempt IN 1..4 LOOP WITH put AS (INSERT INTO %1$s %2$s SELECT %3$s '
        'FROM (SELECT r::%1$s AS r FROM pg_crucible.seed WHERE relid = %4$s ORDER BY place OFFSET 0) x RETURNING ctid) '
        'SELECT array_agg(ctid) INTO lies FROM put; '
        'EXIT WHEN lies = ARRAY(SELECT l FROM unnest(lies) AS l ORDER BY l) OR attempt = 4; '
        'DELETE FROM ONLY %1$s; END LOOP', t.name, t.columns, t.fields, t.relid);
BEGIN
    IF t.search_path IS NOT NULL THEN
        statements := format('PERFORM set_config(''search_path'', %L, true); %s; '
            'PERFORM set_config(''search_path'', usual, true)', t.search_path, statements);
    END IF;
    RETURN statements || ';';
END $$;

-- The statements that restore one table where no foreign key is checked. If all rows of the last refill are there,
-- unchanged, only the others are deleted.
CREATE FUNCTION pg_crucible.restoration(t pg_crucible.tracked) RETURNS text LANGUAGE sql AS $$
    SELECT format($body$
        IF %2$s = ANY (marked) THEN
            n := array_position(seeded, %2$s);
            IF n IS NULL THEN
                %4$s
            ELSE
                unchanged := NULL;
                IF born[n] IS NOT NULL THEN
                    SELECT count(*) INTO unchanged FROM ONLY %1$s WHERE xmin = born[n];
                END IF;
                IF unchanged = counts[n] THEN
                    %3$s
                ELSE
                    %4$s
                    %5$s
                    INSERT INTO pg_crucible.refilled VALUES (%2$s, pg_current_xact_id()::xid)
                        ON CONFLICT (relid) DO UPDATE SET born = excluded.born;
                END IF;
            END IF;
        END IF;
        $body$, t.name, t.relid, pg_crucible.deletion(t, 'WHERE xmin <> born[n]'), pg_crucible.deletion(t, ''),
        pg_crucible.insertion(t))
$$;

-- A name without the schema "public".
CREATE FUNCTION pg_crucible.short(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(name, '^public\.', '')
$$;

-- The reason why the marked tables cannot be restored row by row, or why that would cost more than a clone; or NULL.
CREATE FUNCTION pg_crucible.too_dear(marked oid[], refill bigint, most bigint) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN bool_or(clone_only) THEN
        'writes to ' || string_agg(pg_crucible.short(name), ', ' ORDER BY name) FILTER (WHERE clone_only)
        || ': a trigger, rule, policy or constraint stands in the way of a reset'
        ELSE to_char(refill, 'FM999,999,999') || ' seed rows in written tables: a refill would cost more' END
      FROM pg_crucible.tracked WHERE relid = ANY (marked)
$$;

-- The reset, called once after each test: find open transactions, then marks, then restore everything that is marked.
-- "allowed" and "every_one": see strangers(). "held": the application holds a connection, or a transaction may be
-- prepared. Then strangers() is always called: aborted and prepared transactions may hold no lock.
-- "most": the number of rows to insert above which a fresh clone is cheaper.
-- Returns NULL if nothing had to be done, else JSON with one of
--   open   other backends' transactions and advisory locks: nothing was reset yet
--   clone  the reason why only a fresh clone can restore the baseline: nothing was reset
--   dead, temporary   the dead rows that the reset leaves to vacuum, and backends with temporary objects
CREATE FUNCTION pg_crucible.reset(allowed integer[], most bigint, held boolean, every_one boolean) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    marked oid[];
    tables oid[];
    seeded oid[];
    bigs oid[];
    refill bigint;
    unfit boolean;
    wider boolean;
    altered boolean := false;
    logged boolean;
    logs oid[];
    keys text[];
    found text;
    deaths jsonb;
    temporary jsonb;
    -- Read first, so that the next reset finds everything that other backends do meanwhile.
    position text := pg_current_wal_insert_lsn();
    noted bigint;
BEGIN
    -- Runs hold advisory locks in the maintenance database while they live: only locks of this database count.
    IF held OR EXISTS (SELECT FROM pg_lock_status() l WHERE l.pid <> pg_backend_pid()
                  AND (l.locktype = 'virtualxid' OR l.locktype = 'advisory'
                       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))) THEN
        found := pg_crucible.strangers(allowed, every_one);
        IF found IS NOT NULL THEN
            RETURN jsonb_build_object('open', found::jsonb);
        END IF;
    END IF;
    IF EXISTS (SELECT FROM pg_crucible.mark) THEN
        -- Read and deleted in one statement: a mark that arrives later belongs to the next reset.
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
        found := pg_crucible.schema_change();
        IF found IS NOT NULL THEN
            RETURN jsonb_build_object('clone', found);
        END IF;
        altered := true;
        marked := marked || pg_crucible.altered_tables();
    END IF;
    IF (SELECT s.now IS DISTINCT FROM s.baseline FROM pg_crucible.stamps() s) THEN
        RETURN jsonb_build_object('clone', pg_crucible.stamp_change());
    END IF;
    temporary := coalesce(temporary, pg_crucible.temporary_backends());
    IF marked IS NULL AND temporary IS NULL THEN
        IF NOT pg_crucible.restore_sequences(held OR allowed <> '{}') AND NOT EXISTS (SELECT FROM pg_crucible.sequence WHERE unlogged) THEN
            PERFORM set_config('pg_crucible.wal', position, false);
        END IF;
        RETURN NULL;
    END IF;
    -- A second pass only if a mark means more than its own table: most schemas have no trees.
    LOOP
        SELECT array_agg(k.relid) FILTER (WHERE NOT k.big), array_agg(k.relid) FILTER (WHERE k.rows > 0 AND NOT k.big),
               array_agg(k.relid) FILTER (WHERE k.big), sum(k.rows) FILTER (WHERE NOT k.big), bool_or(k.clone_only),
               bool_or(NOT k.tree <@ marked), bool_or(k.logged)
          INTO tables, seeded, bigs, refill, unfit, wider, logged FROM pg_crucible.tracked k WHERE k.relid = ANY (marked);
        EXIT WHEN wider IS NOT TRUE;
        SELECT array_agg(DISTINCT t.relid) INTO marked
          FROM pg_crucible.tracked m, unnest(m.tree) AS t(relid) WHERE m.relid = ANY (marked);
    END LOOP;
    IF unfit OR refill > most THEN
        RETURN jsonb_build_object('clone', pg_crucible.too_dear(marked, refill, most));
    END IF;
    IF logged THEN
        WITH taken AS (DELETE FROM pg_crucible.touched t WHERE t.relid = ANY (marked) RETURNING t.relid, t.k)
        SELECT coalesce(array_agg(t.relid), '{}'), array_agg(t.k) INTO logs, keys FROM taken t;
    END IF;
    IF bigs IS NOT NULL THEN
        found := pg_crucible.restore_differences(bigs, coalesce(cardinality(tables), 0), most,
            CASE WHEN NOT altered THEN logs END, keys);
        IF found IS NOT NULL THEN
            RETURN jsonb_build_object('clone', found);
        END IF;
    END IF;
    deaths := pg_crucible.restore_tables(tables, seeded) || jsonb_build_object(
        'pg_crucible.mark', coalesce(noted, 0), 'pg_crucible.touched', coalesce(cardinality(logs), 0));
    PERFORM pg_crucible.restore_sequences(held OR allowed <> '{}');
    RETURN jsonb_build_object('dead', deaths, 'temporary', coalesce(temporary, '[]'));
END $$;
