-- Tables with many rows and a primary key: statement triggers log the keys of all rows that a statement wrote, so that
-- restore_difference() compares the rows with these keys only. Keys, not changes: the order in which nested statements
-- are logged does not matter, and neither does a key too many. The comparison reads the whole table instead
--   if the table has no such key, or belongs to a tree of inheriting tables: a write through a parent logs its columns
--   after DDL, which may have switched off the triggers for a while
--   if the key NULL is logged: the baseline itself has changed
--   for so many keys that it costs less

-- Like marks: unlogged and without an index.
CREATE UNLOGGED TABLE pg_crucible.touched (relid oid NOT NULL, k text COLLATE "C");

-- The columns of each table's primary key, and the tables whose triggers log its rows: itself, and those of which it is
-- a partition. Their keys have the same columns, since it is the topmost one's key that counts. Keys must be
-- equal if and only if their texts are, whatever the settings of a session (not so for numeric: 1.0 = 1.00).
CREATE FUNCTION pg_crucible.note_keys() RETURNS void LANGUAGE sql AS $$
    WITH RECURSIVE above(relid, root, logs, fit) AS (
        SELECT k.relid, k.relid, ARRAY[k.relid], true FROM pg_crucible.tracked k WHERE k.kind = 'r' AND k.tree = ARRAY[k.relid]
        UNION ALL SELECT a.relid, p.oid, a.logs || p.oid, p.relkind = 'p'
          FROM above a JOIN pg_inherits i ON i.inhrelid = a.root JOIN pg_class p ON p.oid = i.inhparent
    ), topmost AS (
        SELECT DISTINCT ON (relid) * FROM above ORDER BY relid, cardinality(logs) DESC
    )
    UPDATE pg_crucible.tracked k SET logs = t.logs, key = c.names, key_types = c.types
      FROM topmost t JOIN pg_constraint p ON p.conrelid = t.root AND p.contype = 'p'
      CROSS JOIN LATERAL (
           SELECT array_agg(quote_ident(a.attname) ORDER BY u.n) AS names,
                  array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY u.n) AS types,
                  bool_and(a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype, 'text'::regtype,
                      'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype, 'bool'::regtype)
                      AND l.collisdeterministic IS NOT FALSE) AS fit
             FROM unnest(p.conkey) WITH ORDINALITY AS u (attnum, n)
             JOIN pg_attribute a ON a.attrelid = p.conrelid AND a.attnum = u.attnum
             LEFT JOIN pg_collation l ON l.oid = a.attcollation
           ) c
     WHERE t.relid = k.relid AND t.fit AND c.fit
$$;

-- The text of the key of a row; "x." stands before the columns of a table "x", nothing before those of the only table.
CREATE FUNCTION pg_crucible.key_text(key text[], prefix text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce('ARRAY[' || string_agg(prefix || name || '::text', ', ' ORDER BY n) || ']::text', 'NULL')
      FROM unnest(key) WITH ORDINALITY AS u (name, n)
$$;

-- The condition that a row "x" has one of the keys to which an expression evaluates.
CREATE FUNCTION pg_crucible.has_key(t pg_crucible.tracked, keys text) RETURNS text LANGUAGE sql AS $$
    SELECT format('(%s) IN (SELECT %s FROM unnest(%s) AS wanted (k))', string_agg('x.' || name, ', ' ORDER BY n),
        string_agg(format('(wanted.k::text[])[%s]::%s', n, type), ', ' ORDER BY n), keys)
      FROM unnest(t.key, t.key_types) WITH ORDINALITY AS u (name, type, n)
$$;

-- Have the keys of the rows that are written to a table logged, also by statements that name a table above it. The
-- function must not fail if DDL has removed a column: the name then means that of "absent".
CREATE FUNCTION pg_crucible.log_keys(t pg_crucible.tracked) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    relation oid;
    log text;
    nothing text := array_to_string(array_fill('NULL'::text, ARRAY[cardinality(t.key)]), ', ');
    log_those text := format('INSERT INTO pg_crucible.touched SELECT TG_RELID, q.k FROM (VALUES (%s)) absent (%s), LATERAL (',
        nothing, array_to_string(t.key, ', '));
    fresh text := format('SELECT %s AS k FROM new_rows', pg_crucible.key_text(t.key, ''));
    past text := format('SELECT %s AS k FROM old_rows', pg_crucible.key_text(t.key, ''));
BEGIN
    FOREACH relation IN ARRAY t.logs LOOP
        log := format('pg_crucible.log_%s()', relation);
        EXECUTE format('CREATE OR REPLACE FUNCTION %s RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS %L', log, format($body$
            #variable_conflict use_column
            BEGIN
                IF TG_OP = 'INSERT' THEN
                    %s;
                ELSIF TG_OP = 'DELETE' THEN
                    %s;
                ELSE
                    %s;
                END IF;
                RETURN NULL;
            END
            $body$, log_those || fresh || ') q', log_those || past || ') q', log_those || fresh || ' UNION ALL ' || past || ') q'));
        PERFORM pg_crucible.put_trigger(relation, 'insert', 'AFTER INSERT', log, 'NEW TABLE AS new_rows');
        PERFORM pg_crucible.put_trigger(relation, 'delete', 'AFTER DELETE', log, 'OLD TABLE AS old_rows');
        PERFORM pg_crucible.put_trigger(relation, 'update', 'AFTER UPDATE', log, 'OLD TABLE AS old_rows NEW TABLE AS new_rows');
    END LOOP;
END $$;

-- Log the keys of those tables that have many rows by now; return whether there are any. If a wide fixture that has not
-- finished holds a lock, the tables stay as they are. "written": transactions that no trigger logged may have written.
CREATE FUNCTION pg_crucible.log_many(relations oid[], written boolean) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    t pg_crucible.tracked;
    logging boolean := false;
BEGIN
    FOR t IN SELECT * FROM pg_crucible.tracked k WHERE k.relid = ANY (relations) AND k.big AND k.key IS NOT NULL
                AND NOT k.logged AND NOT k.clone_only LOOP
        PERFORM pg_crucible.log_keys(t);
        UPDATE pg_crucible.tracked SET logged = true WHERE relid = t.relid;
        INSERT INTO pg_crucible.touched SELECT t.relid, NULL WHERE written;
        logging := true;
    END LOOP;
    RETURN logging;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;
