-- The statements of random programs, one a line, under the name of their kind. Stand-ins: {n} {m} {k} are small
-- numbers, {t} a text or NULL, {s} the name of a sequence. What the ORM session knows begins with orm_.

-- control
BEGIN
BEGIN ISOLATION LEVEL SERIALIZABLE
COMMIT
COMMIT
COMMIT
ROLLBACK
SAVEPOINT s
SAVEPOINT s
ROLLBACK TO SAVEPOINT s
RELEASE SAVEPOINT s
SET CONSTRAINTS ALL DEFERRED
SET CONSTRAINTS ALL IMMEDIATE

-- rows
INSERT INTO author (name) VALUES ({t})
INSERT INTO author (id, name) VALUES ({n}, {t})
INSERT INTO author (id, name) VALUES ({n}, {t}) ON CONFLICT DO NOTHING RETURNING id
INSERT INTO author (name) VALUES ('author {n}') ON CONFLICT (name) DO UPDATE SET born = '2000-01-01' RETURNING id, version
UPDATE author SET name = name || {t} WHERE id = {n}
UPDATE author SET id = {m} WHERE id = {n}
DELETE FROM author WHERE id = {n}
DELETE FROM author WHERE id > {n} RETURNING name
INSERT INTO book (author_id, editor_id, title, price) VALUES ({n}, {m}, {t}, {k})
INSERT INTO book (id, title) OVERRIDING SYSTEM VALUE VALUES ({n}, {t})
UPDATE book SET price = {n} - 3 WHERE id = {m} RETURNING half, shout
UPDATE book SET editor_id = {n} WHERE id = {m}
DELETE FROM book WHERE id = {n}
WITH gone AS (DELETE FROM book WHERE id = {n} RETURNING title) INSERT INTO audit SELECT 'with', title FROM gone
UPDATE cheap SET price = {n} WHERE id = {m}
INSERT INTO cheap VALUES ({n} + 50, {t}, {m})
DELETE FROM cheap WHERE id = {n}
INSERT INTO node VALUES ({n}, {m}, {k})
UPDATE node SET id = id + 20 WHERE id = {n}
UPDATE node SET payload = payload + 1
DELETE FROM node WHERE id = {n}
DELETE FROM hen WHERE id = {n}
DELETE FROM egg WHERE id = {n}
INSERT INTO hen VALUES ({n}, {m})
INSERT INTO egg VALUES ({n}, {m})
INSERT INTO everything (m, d, ar) VALUES ('sad', {n}, ROW({n}, {t}, NULL, 1)) RETURNING id
INSERT INTO everything (id) VALUES ({n})
UPDATE everything SET i = i * 2, c = c * {n}, b = b || '\x01', a[0][2] = {n} WHERE id > 100
UPDATE everything SET id = DEFAULT
DELETE FROM everything WHERE m IS NULL
INSERT INTO extended (c) VALUES ({t}) ON CONFLICT DO NOTHING
UPDATE extended SET h = h || hstore('n', {t}), q = cube({n})
INSERT INTO other."Se""lect %s 100%" ("select", "qu""ote", x) VALUES ({n}, {t}, {t})
UPDATE other."Se""lect %s 100%" SET "select" = {n} WHERE "select" = {m}
DELETE FROM other."Se""lect %s 100%" WHERE relid = {n}
INSERT INTO other.author (name, x) VALUES ({t}, {t}) RETURNING id
DELETE FROM other.author WHERE name = 'same'
UPDATE lone SET x = x || {t}
DELETE FROM lone WHERE x = 'one'
INSERT INTO hollow DEFAULT VALUES
DELETE FROM altered WHERE id = {n}
UPDATE altered SET late = {n}, x = 'happy' WHERE id = {m}
INSERT INTO altered (id) VALUES ({n})
INSERT INTO measure VALUES ({n}, 'north', date '2019-12-25' + {m}, {k})
INSERT INTO measure VALUES ({n}, 'south', '2021-01-01', {k}), ({m}, 'east', '2021-01-01', {k})
INSERT INTO measure_south_0 VALUES ({n}, 'south', '2021-01-01', {k})
INSERT INTO measure_rest VALUES ({n}, 'west', '2021-01-01', {k})
UPDATE measure SET region = 'south' WHERE id = {n}
UPDATE measure SET taken = taken + 400 WHERE id = {n}
UPDATE measure_north SET taken = date '2019-12-01' + {n} * 10 WHERE id = {m}
UPDATE measure_rest SET val = {n}
DELETE FROM measure WHERE val = {n}
DELETE FROM measure_south
DELETE FROM flow WHERE measure = {n}
UPDATE city SET name = {t} WHERE id = {n}
UPDATE ONLY city SET x = {n}
DELETE FROM city WHERE id > {n}
INSERT INTO capital VALUES ({n}, {t}, {m}, {t})
INSERT INTO stubborn VALUES ({n}, {t})
INSERT INTO mirrored VALUES ({n}, {t})
DELETE FROM overruled
INSERT INTO ruled VALUES ({n}, {t})
DELETE FROM ruled
INSERT INTO booking VALUES ({n}, int4range({n}, {n} + {m}))
DELETE FROM booking
UPDATE ranked SET rank = {n} WHERE id = {m}
UPDATE ranked SET rank = 4 - rank
UPDATE legacy SET age = {n} WHERE id = 1
INSERT INTO legacy VALUES ({n}, {m})
INSERT INTO taxed (net) VALUES ({n})
UPDATE shelf SET id = {n} WHERE book = 'a'
INSERT INTO volatile_note (note) VALUES ({t}) RETURNING id
DELETE FROM volatile_note WHERE id = {n}
INSERT INTO secret (id, note) VALUES ({n} * 20, {t})
UPDATE secret SET note = {t} WHERE id = {n}
DELETE FROM secret
INSERT INTO target VALUES ({n}, {t}) ON CONFLICT (k) DO UPDATE SET n = target.n + 1 RETURNING n
MERGE INTO target USING (VALUES ({n}, {t}), (20, 'x')) s (k, v) ON s.k = target.k WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v) RETURNING merge_action()
MERGE INTO target USING generate_series(1, {n}) s (k) ON s.k = target.k WHEN MATCHED AND target.k > {m} THEN DELETE WHEN NOT MATCHED BY SOURCE THEN UPDATE SET n = -1 WHEN NOT MATCHED THEN DO NOTHING
SELECT add_target({n}, {t})
CALL two_steps({n} + 100)
DO $$ BEGIN INSERT INTO author (name) VALUES ('do {n}'); BEGIN DELETE FROM author; RAISE 'no'; EXCEPTION WHEN OTHERS THEN INSERT INTO audit VALUES ('do', 'caught'); END; END $$
PREPARE put AS INSERT INTO target VALUES ($1, 'prepared')
EXECUTE put ({n})
DEALLOCATE ALL
UPDATE counter SET n = n + {n} WHERE name = 'book'
UPDATE parcel SET note = {t} WHERE id = {n}
UPDATE parcel SET id = {m} WHERE id = {n}
UPDATE parcel_high SET id = id + {k} WHERE id > {n}
UPDATE parcel_low SET note = {t} WHERE id < {n}
DELETE FROM parcel WHERE id % 3 = 0 AND id < {n}
INSERT INTO parcel VALUES ({n}, {t}), ({m} + 20, {t}) ON CONFLICT (id) DO UPDATE SET note = excluded.note
INSERT INTO parcel_high_9 VALUES ({n} + 9, {t})
MERGE INTO parcel p USING generate_series(1, {n}) s (id) ON s.id = p.id WHEN MATCHED AND p.id > {m} THEN DELETE WHEN MATCHED THEN UPDATE SET note = {t} WHEN NOT MATCHED THEN INSERT (id, note) VALUES (s.id, 'm')
UPDATE label SET "select" = "select" || {n} WHERE parcel = {m}
UPDATE label SET gone = true
WITH gone AS (DELETE FROM label WHERE parcel <> {n} RETURNING *) INSERT INTO label SELECT * FROM gone WHERE parcel < {m}
UPDATE crowd SET note = {t} WHERE id = {n}
UPDATE crowd SET id = id, note = note WHERE id < {n}
UPDATE crowd SET id = {m} WHERE id = {n}
DELETE FROM crowd WHERE id % 50 = {n}
INSERT INTO crowd (id, note) VALUES ({n}, {t}), ({n}, {t})
INSERT INTO crowd (id, note) SELECT id, note FROM crowd WHERE id = {n}
WITH gone AS (DELETE FROM crowd WHERE id = {n} RETURNING id, note) INSERT INTO crowd (id, note) SELECT id, note FROM gone

-- emptying
TRUNCATE author CASCADE
TRUNCATE author RESTART IDENTITY CASCADE
TRUNCATE book RESTART IDENTITY
TRUNCATE measure CASCADE
TRUNCATE measure_north_new
TRUNCATE city
TRUNCATE ONLY city
TRUNCATE target
TRUNCATE everything, lone RESTART IDENTITY
TRUNCATE volatile_note RESTART IDENTITY
TRUNCATE node
TRUNCATE stubborn
TRUNCATE crowd

-- reading
SELECT count(*), sum(version) FROM author
SELECT id, name, version FROM author WHERE id < {n}
SELECT id, title, half FROM book WHERE author_id = {n} FOR UPDATE
SELECT id FROM author WHERE id = {n} FOR UPDATE NOWAIT
SELECT id FROM author FOR NO KEY UPDATE SKIP LOCKED
SELECT sum(n) FROM counter
SELECT what, whom, count(*) FROM audit GROUP BY what, whom
SELECT id, parent FROM node
SELECT count(*), sum(val) FROM measure
SELECT count(*) FROM secret
SELECT * FROM totals
SELECT e::text FROM everything e
SELECT (x.*)::text FROM other.author x
SELECT count(*) FROM target
SELECT loid, length(lo_get(loid)) FROM (VALUES (60001), (60002)) v (loid)
SELECT currval('author_id_seq')
LOCK TABLE target IN SHARE MODE

-- sequences
SELECT nextval('plain_seq')
SELECT nextval('used_seq')
SELECT nextval('cached_seq')
SELECT nextval('cached_seq')
SELECT nextval('down_seq')
SELECT nextval('small_seq') FROM generate_series(1, {n})
SELECT nextval('short_seq')
SELECT nextval('unlogged_seq')
SELECT nextval('other.plain_seq')
SELECT nextval('plain_seq') FROM generate_series(1, 40)
SELECT setval('{s}', {n})
SELECT setval('{s}', {n}, false)
SELECT setval('cached_seq', 1, false)
SELECT setval('down_seq', -2, false)

-- session
SELECT pg_advisory_lock({n})
SELECT pg_advisory_xact_lock({n})
SELECT pg_advisory_unlock_all()
SET search_path = other, public
SET session_replication_role = replica
SET default_transaction_read_only = on
SET default_transaction_isolation = serializable
SET DateStyle = 'SQL, DMY'
SET ROLE reader
RESET ALL
DISCARD ALL
LISTEN news
NOTIFY news, {t}
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM author ORDER BY id
FETCH 1 FROM held

-- temporary
CREATE TEMP TABLE scratch (id serial, note text)
CREATE TEMP TABLE scratch ON COMMIT DROP AS SELECT * FROM author
CREATE TEMP TABLE author (id integer, name text, version integer)
INSERT INTO scratch (note) VALUES ({t})
CREATE TEMP VIEW hidden AS SELECT 1
CREATE TEMP SEQUENCE passing
SELECT nextval('passing')
DROP TABLE scratch
TRUNCATE scratch

-- large
SELECT lo_create({n} + 70000)
SELECT lo_put(60001, {n}, 'abc')
SELECT lo_unlink(60002)
SELECT lo_unlink(60001)
SELECT lo_from_bytea(0, {t}) > 0
GRANT SELECT ON LARGE OBJECT 60002 TO PUBLIC

-- schema
ALTER TABLE label RENAME "select" TO renamed ;; UPDATE label SET renamed = renamed || {t} WHERE parcel = {n} ;; INSERT INTO label VALUES ({n}, 'late')
ALTER TABLE label DROP COLUMN "select" ;; DELETE FROM label WHERE parcel = 1
ALTER TABLE author ALTER id TYPE bigint ;; INSERT INTO author (name) VALUES ('big')
ALTER TABLE parcel_low DISABLE TRIGGER USER ;; UPDATE parcel_low SET note = {t} ;; ALTER TABLE parcel_low ENABLE TRIGGER USER
ALTER TABLE target DISABLE TRIGGER pg_crucible_update ;; UPDATE target SET n = {n} ;; ALTER TABLE target ENABLE ALWAYS TRIGGER pg_crucible_update
ALTER TABLE parcel DETACH PARTITION parcel_low ;; UPDATE parcel_low SET note = {t}
ALTER TABLE author ADD COLUMN extra integer DEFAULT {n}
ALTER TABLE author DROP COLUMN born
ALTER TABLE author RENAME TO writer
ALTER TABLE book RENAME COLUMN title TO heading
ALTER TABLE target ALTER COLUMN n TYPE bigint
ALTER TABLE target ALTER COLUMN n SET DEFAULT {n}
ALTER TABLE legacy VALIDATE CONSTRAINT grown
ALTER TABLE secret DISABLE ROW LEVEL SECURITY
ALTER TABLE book DISABLE TRIGGER book_audit
ALTER TABLE target DISABLE TRIGGER ALL
ALTER TABLE lone DISABLE TRIGGER USER
ALTER TABLE node SET UNLOGGED
ALTER TABLE target SET (fillfactor = 50)
ALTER TABLE target CLUSTER ON target_pkey
ALTER TABLE target REPLICA IDENTITY FULL
ALTER TABLE measure DETACH PARTITION measure_rest
CREATE TABLE measure_east PARTITION OF measure FOR VALUES IN ('east')
CREATE TABLE created AS SELECT * FROM author
CREATE TABLE lookalike (LIKE book INCLUDING ALL)
SELECT * INTO selected FROM target
CREATE TABLE heir () INHERITS (city)
DROP TABLE flow
DROP TABLE author CASCADE
DROP TABLE measure_north CASCADE
CREATE INDEX ON target (v)
CREATE INDEX CONCURRENTLY target_v ON target (v)
CREATE UNIQUE INDEX ON lone (x)
CREATE UNIQUE INDEX CONCURRENTLY ON lone (x)
DROP INDEX CONCURRENTLY book_title
ALTER TABLE shelf DETACH PARTITION shelf_1 CONCURRENTLY
CREATE OR REPLACE FUNCTION rate() RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 0.30'
DROP INDEX book_title
REINDEX TABLE target
CLUSTER target USING target_pkey
VACUUM target
VACUUM FULL altered
ANALYZE author
CREATE TYPE colour AS ENUM ('red')
ALTER TYPE mood ADD VALUE 'furious'
ALTER TYPE place ADD ATTRIBUTE country text
ALTER DOMAIN positive DROP CONSTRAINT positive_check
DROP TYPE span CASCADE
CREATE OR REPLACE FUNCTION add_target(integer, text) RETURNS integer LANGUAGE sql AS 'SELECT 0'
CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'
DROP FUNCTION add_target
CREATE OR REPLACE VIEW cheap AS SELECT id, title, price FROM book
CREATE VIEW dear AS SELECT * FROM book WHERE price > 100
REFRESH MATERIALIZED VIEW totals
CREATE MATERIALIZED VIEW more AS SELECT 1 AS one
CREATE TRIGGER extra BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
CREATE RULE shout AS ON INSERT TO target DO NOTHING
CREATE POLICY theirs ON secret FOR SELECT USING (true)
CREATE SEQUENCE fresh
ALTER SEQUENCE plain_seq INCREMENT BY 5
ALTER SEQUENCE plain_seq RESTART WITH {n}
ALTER SEQUENCE cached_seq CACHE 1
DROP SEQUENCE used_seq
CREATE SCHEMA extra CREATE TABLE inner_one (id integer)
DROP SCHEMA other CASCADE
CREATE EXTENSION unaccent
DROP EXTENSION hstore CASCADE
CREATE STATISTICS ON k, n FROM target
CREATE PUBLICATION more_changes FOR TABLE book
COMMENT ON TABLE author IS {t}
COMMENT ON COLUMN author.name IS {t}
COMMENT ON LARGE OBJECT 60001 IS {t}
GRANT SELECT ON target TO PUBLIC
GRANT UPDATE (v) ON target TO reader
REVOKE ALL ON author FROM reader
GRANT USAGE ON SEQUENCE plain_seq TO reader
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader
ALTER DEFAULT PRIVILEGES IN SCHEMA other REVOKE SELECT ON TABLES FROM reader
DROP OWNED BY CURRENT_USER
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''5MB''', current_database()); END $$
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 50', current_database()); END $$
DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET work_mem = ''5MB''', current_database()); END $$
DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''noted''', current_database()); END $$
DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO reader', current_database()); END $$

-- needless
REINDEX TABLE target
REINDEX INDEX book_title
REFRESH MATERIALIZED VIEW totals
ALTER TABLE target OWNER TO CURRENT_USER
ALTER TABLE author ADD COLUMN IF NOT EXISTS born date
ALTER TABLE author ALTER COLUMN name SET NOT NULL
CREATE TABLE IF NOT EXISTS target (k integer)
CREATE INDEX IF NOT EXISTS book_title ON book (lower(title))
CREATE SCHEMA IF NOT EXISTS other
CREATE OR REPLACE FUNCTION add_target(integer, text) RETURNS integer LANGUAGE sql AS\n    'INSERT INTO target VALUES ($1, $2) RETURNING k'
CREATE OR REPLACE VIEW cheap AS SELECT id, title, price FROM book WHERE price < 10 WITH CHECK OPTION
COMMENT ON TABLE author IS 'who wrote'
COMMENT ON COLUMN book.title IS 'what'
GRANT SELECT ON author TO reader
ALTER SEQUENCE plain_seq RESTART
ALTER SEQUENCE plain_seq RESTART WITH {n}
ALTER SEQUENCE used_seq RESTART
ALTER SEQUENCE down_seq RESTART
BEGIN ;; CREATE TABLE passing (id serial PRIMARY KEY) ;; ROLLBACK
CREATE TABLE passing (id serial PRIMARY KEY, t text) ;; INSERT INTO passing (t) VALUES ({t}) ;; DROP TABLE passing
CREATE VIEW passing AS SELECT 1 AS one ;; DROP VIEW passing
INSERT INTO hollow DEFAULT VALUES
CREATE TEMP TABLE scratch (id integer) ;; GRANT SELECT ON scratch TO reader
CREATE TEMP TABLE scratch (id integer) ;; CREATE TRIGGER scratched BEFORE UPDATE ON scratch FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
CREATE TEMP TABLE scratch (id integer) ;; COMMENT ON TABLE scratch IS {t}
CREATE TEMP TABLE scratch (id integer) ;; CREATE INDEX ON scratch (id) ;; ALTER TABLE scratch ADD COLUMN more integer ;; DROP TABLE scratch

-- hidden
ALTER TABLE target ALTER COLUMN n TYPE integer USING {n}
ALTER TABLE author ALTER COLUMN name TYPE text USING 'author ' || id || {t}
ALTER TABLE target DISABLE TRIGGER ALL ;; INSERT INTO target VALUES ({n} + 30) ;; ALTER TABLE target ENABLE TRIGGER ALL
ALTER TABLE target DISABLE TRIGGER USER ;; DELETE FROM target ;; ALTER TABLE target ENABLE ALWAYS TRIGGER ALL
BEGIN ;; ALTER TABLE lone DISABLE TRIGGER USER ;; DELETE FROM lone ;; ALTER TABLE lone ENABLE TRIGGER USER ;; COMMIT
ALTER TABLE measure DISABLE TRIGGER USER ;; UPDATE measure SET val = {n} ;; ALTER TABLE measure ENABLE TRIGGER USER
CREATE TABLE measure_east PARTITION OF measure FOR VALUES IN ('east') ;; INSERT INTO measure VALUES ({n}, 'east', '2021-01-01', {k})
CREATE TABLE shelf_3 (id integer, book text) ;; INSERT INTO shelf_3 VALUES (3, {t}) ;; ALTER TABLE shelf ATTACH PARTITION shelf_3 FOR VALUES IN (3)
ALTER TABLE shelf DETACH PARTITION shelf_1 ;; INSERT INTO shelf_1 VALUES (1, {t}) ;; ALTER TABLE shelf ATTACH PARTITION shelf_1 FOR VALUES IN (1)
ALTER TABLE target RENAME TO goal ;; INSERT INTO goal VALUES ({n} + 30) ;; ALTER TABLE goal RENAME TO target
DROP TRIGGER pg_crucible_write ON target ;; DELETE FROM target
ALTER TABLE node SET UNLOGGED ;; DELETE FROM node ;; ALTER TABLE node SET LOGGED
SET pg_crucible.own = on ;; DELETE FROM lone ;; RESET pg_crucible.own
SET session_replication_role = replica ;; DELETE FROM lone ;; RESET session_replication_role
CREATE OR REPLACE VIEW cheap AS SELECT id, title, price FROM book ;; INSERT INTO cheap VALUES ({n} + 60, {t}, 50) ;; CREATE OR REPLACE VIEW cheap AS SELECT id, title, price FROM book WHERE price < 10 WITH CHECK OPTION
REFRESH MATERIALIZED VIEW totals ;; DELETE FROM book ;; REFRESH MATERIALIZED VIEW totals
TRUNCATE everything RESTART IDENTITY
ALTER TABLE city NO INHERIT capital
DROP OWNED BY reader
REASSIGN OWNED BY CURRENT_USER TO CURRENT_USER
VACUUM FULL lone ;; DELETE FROM lone
VACUUM FULL crowd ;; DELETE FROM crowd WHERE id < {n}
DELETE FROM crowd WHERE id < 500 ;; VACUUM crowd ;; INSERT INTO crowd (id, note) SELECT i, 'note 1' FROM generate_series(1, 499) i
BEGIN ;; UPDATE crowd SET note = {t} WHERE id = {n} ;; SAVEPOINT s ;; DELETE FROM crowd ;; ROLLBACK TO SAVEPOINT s ;; COMMIT
CLUSTER target USING target_pkey ;; DELETE FROM target

-- orm
orm_add {n} {m}
orm_change {n} {m}
orm_drop {n} {m}
orm_nest {n} {m}
