"""What writes where no mark tells of it is noticed nevertheless, whatever the role may do."""

from __future__ import annotations

import pytest

MODELS = """
from sqlalchemy import DDL, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine("postgresql+psycopg://app@db.production.invalid/app")


class Base(DeclarativeBase):
    pass


class T(Base):
    __tablename__ = "t"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


for statement in (
    "CREATE TABLE heir () INHERITS (t)",
    "CREATE SEQUENCE s",
    "CREATE TABLE n (id int)",
    "INSERT INTO n VALUES (1)",
    "CREATE TABLE p (id int) PARTITION BY LIST (id)",
    "CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)",
    "CREATE MATERIALIZED VIEW v AS SELECT id FROM t",
    "CREATE UNIQUE INDEX ON v (id)",
    "CREATE VIEW w AS SELECT id FROM t",
    "CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN INSERT INTO t VALUES (NEW.id); RETURN NEW; END'",
    "CREATE TRIGGER put INSTEAD OF INSERT ON w FOR EACH ROW EXECUTE FUNCTION put()",
    "INSERT INTO t VALUES (1)",
    "REFRESH MATERIALIZED VIEW v",
):
    event.listen(Base.metadata, "after_create", DDL(statement))
"""
TESTS = r"""
import pytest
from sqlalchemy import text
from noticed_models import engine

def run(statement):
    with engine.begin() as connection:
        found = connection.exec_driver_sql(statement)
        return sorted(map(tuple, found)) if found.returns_rows else None

ROWS = "SELECT id FROM t"
CASES = [
    (["ALTER TABLE t DISABLE TRIGGER USER", "INSERT INTO t VALUES (2)", "ALTER TABLE t ENABLE TRIGGER USER"], ROWS),
    (["ALTER TABLE n ALTER COLUMN id TYPE integer USING 7"], "SELECT id FROM n"),
    (["ALTER SEQUENCE s INCREMENT BY 5"], "SELECT seqincrement FROM pg_sequence WHERE seqrelid = 's'::regclass"),
    (["ALTER SEQUENCE s RESTART WITH 50"], "SELECT last_value, is_called FROM s"),
    (["INSERT INTO t VALUES (3)", "REFRESH MATERIALIZED VIEW v"], "SELECT id FROM v"),
    (["INSERT INTO t VALUES (3)", "REFRESH MATERIALIZED VIEW CONCURRENTLY v"], "SELECT id FROM v"),
    (["ALTER TABLE t REPLICA IDENTITY FULL"], "SELECT relreplident::text FROM pg_class WHERE relname = 't'"),
    (["ALTER TABLE heir NO INHERIT t"], "SELECT count(*) FROM pg_inherits"),
    (["INSERT INTO heir VALUES (9)"], ROWS),
    (["CREATE TABLE p_3 PARTITION OF p FOR VALUES IN (3)", "INSERT INTO p VALUES (3)"], "SELECT id FROM p"),
    (["CREATE TABLE q (id int)", "INSERT INTO q VALUES (4)", "ALTER TABLE p ATTACH PARTITION q FOR VALUES IN (4)"],
     "SELECT id FROM p"),
    (["INSERT INTO w VALUES (8)"], ROWS),
    (["ALTER TABLE t RENAME TO u", "INSERT INTO u VALUES (5)", "ALTER TABLE u RENAME TO t"], ROWS),
    (["ALTER TABLE t SET UNLOGGED", "DELETE FROM t"], "SELECT relpersistence::text FROM pg_class WHERE relname = 't'"),
    (["TRUNCATE t, heir RESTART IDENTITY"], ROWS),
    (["CREATE COLLATION mine FROM \"C\""], "SELECT count(*) FROM pg_collation"),
    (["CREATE TEXT SEARCH CONFIGURATION mine (COPY = simple)"], "SELECT count(*) FROM pg_ts_config_map"),
    (["CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int)"], "SELECT count(*) FROM pg_aggregate"),
    (["CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)"], "SELECT count(*) FROM pg_operator"),
    (["COMMENT ON SCHEMA public IS 'mine'"], "SELECT obj_description('public'::regnamespace, 'pg_namespace')"),
    (["COMMENT ON TABLE t IS 'mine'"], "SELECT obj_description('t'::regclass, 'pg_class')"),
    (["SET pg_crucible.own = on; SET crucible.own = on; INSERT INTO t VALUES (6)"], ROWS),
    (["DO $$ DECLARE n text; BEGIN FOR n IN SELECT tgname FROM pg_trigger WHERE tgrelid = 't'::regclass LOOP"
      " EXECUTE 'DROP TRIGGER ' || n || ' ON t'; END LOOP; END $$", "INSERT INTO t VALUES (6)"], ROWS),
]
OF_SUPERUSERS = [
    (["UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 't'::regclass", "INSERT INTO t VALUES (2)"], ROWS),
    (["ALTER EVENT TRIGGER pg_crucible_ddl DISABLE", "COMMENT ON TABLE t IS 'x'"],
     "SELECT obj_description('t'::regclass)"),
    (["SET session_replication_role = replica; INSERT INTO t VALUES (2)"], ROWS),
]

@pytest.fixture(scope="session")
def before():
    return {query: run(query) for _, query in [*CASES, *OF_SUPERUSERS]}

@pytest.mark.parametrize("i", range(len(CASES) + len(OF_SUPERUSERS) + 1))
def test_leaves_nothing(i, before):
    assert {query: run(query) for query in before} == before
    statements, query = [*CASES, *OF_SUPERUSERS, (["SELECT 1"], "SELECT random()")][i]
    try:
        for statement in statements:
            run(statement)
    except Exception as error:
        refused = ("must be superuser", "permission denied", "must be owner", "event trigger")
        assert any(words in str(error) for words in refused), error
    else:
        assert run(query) != before.get(query)
"""
KINDS = {"superuser": "SUPERUSER", "plain": "CREATEDB", "granted": "CREATEDB"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_hides_from_the_marks(project, external, role, kind):
    """Triggers switched off, rewrites, views, partitions, sequences, and objects that only the catalog knows."""
    name = role(f"ci_{kind}", KINDS[kind])
    if kind == "granted":
        external.execute(f"GRANT SET ON PARAMETER session_replication_role TO {name}")
    project.root.joinpath("noticed_models.py").write_text(MODELS)
    url = external.url(name)
    options = (f"--crucible-server={url}", "--crucible-metadata=noticed_models:Base", "--crucible-app=")
    project.run(TESTS, *options).assert_outcomes(passed=27)
