"""What layers and seed rows need of the schema: order, search_path, triggers and columns."""

from __future__ import annotations

import pytest

MODELS = """
from sqlalchemy import DDL, create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine("postgresql+psycopg://app@db.production.invalid/app")


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Town(Base):
    __tablename__ = "town"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)


# A CHECK and a generated column whose functions are found by the application's search_path only, and a column that
# raises an error when it is read.
for statement in (
    "CREATE SCHEMA shop",
    "CREATE SCHEMA parts",
    "CREATE TABLE shop.article (id int PRIMARY KEY, name text NOT NULL)",
    "CREATE FUNCTION parts.norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)'",
    "CREATE FUNCTION shop.good(t text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE"
    " AS 'BEGIN RETURN norm(t) <> ''''; END'",
    "CREATE FUNCTION shop.small(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN norm(t); END'",
    "ALTER TABLE shop.article ADD CHECK (shop.good(name))",
    "ALTER TABLE shop.article ADD COLUMN small text GENERATED ALWAYS AS (shop.small(name)) STORED",
    "CREATE TABLE quotient (id int PRIMARY KEY, n int, q int GENERATED ALWAYS AS (100 / n) VIRTUAL)",
    "CREATE TABLE bare ()",
    "CREATE TABLE few (id int PRIMARY KEY, name text)",
):
    event.listen(Base.metadata, "after_create", DDL(statement))


def load(session):
    session.execute(text("INSERT INTO item SELECT g, 'seed ' || g FROM generate_series(1, 1000) g"))
    session.execute(text("INSERT INTO quotient VALUES (1, 0)"))
    session.execute(text("INSERT INTO bare DEFAULT VALUES"))
    session.execute(text("INSERT INTO few SELECT g, 'seeds' FROM generate_series(1, 50) g"))
    session.commit()
"""
TESTS = """
import pytest
from sqlalchemy import text
from baseline_models import engine

def run(statement, path="public"):
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL search_path = {path}"))
        found = connection.execute(text(statement))
        return [row[0] if len(row) == 1 else tuple(row) for row in found] if found.returns_rows else None

def ids(): return run("SELECT id FROM item")

SEEDS = list(range(1, 1001))

class TestOrder:
    def test_at_first(self): assert ids() == SEEDS
    WRITES = [
        "UPDATE item SET name = 'x'", "UPDATE item SET name = 'x' WHERE id = 5", "DELETE FROM item WHERE id % 2 = 0",
        "TRUNCATE item", "INSERT INTO item SELECT g, 'y' FROM generate_series(3000, 3300) g",
        *["DELETE FROM item WHERE id < 900"] * 8]
    @pytest.mark.parametrize("i", range(len(WRITES)))
    def test_put_back(self, i): assert ids() == SEEDS; run(self.WRITES[i])

class TestOrderOfAFew:
    @pytest.mark.parametrize("i", range(12))
    def test_put_back(self, i):
        assert run("SELECT id FROM few") == list(range(1, 51))
        run("UPDATE few SET name = name || 'x' WHERE id = 2")

class TestLayer:
    @pytest.fixture(scope="class", autouse=True)
    def rows(self):
        run("INSERT INTO item VALUES (5000, 'fixture')"); run("UPDATE item SET name = 'z' WHERE id IN (1, 7)")
    @pytest.mark.parametrize("i", range(2))
    def test_has_its_rows(self, i):
        assert sorted(ids()) == [*SEEDS, 5000]
        run("DELETE FROM item")

def test_order_after_a_layer(): assert ids() == SEEDS

class TestTriggersOff:
    @pytest.fixture(scope="class", autouse=True)
    def rows(self):
        run("ALTER TABLE town DISABLE TRIGGER ALL"); run("INSERT INTO town VALUES (1, 'fixture')")
        yield
        run("INSERT INTO town VALUES (3, 'teardown')")
    @pytest.mark.parametrize("i", range(3))
    def test_sees_no_other_test(self, i):
        assert run("SELECT id FROM town") == [1]; run("INSERT INTO town VALUES (2, 'test')")

def test_triggers_after(): assert run("SELECT id FROM town") == []; run("INSERT INTO town VALUES (2, 'test')")
def test_triggers_again(): assert run("SELECT id FROM town") == []

class TestDdlInATeardown:
    @pytest.fixture(scope="class", autouse=True)
    def rows(self):
        run("INSERT INTO town VALUES (1, 'fixture')"); run("UPDATE item SET name = 'changed' WHERE id = 1")
        yield
        run("ALTER TABLE item ADD COLUMN extra int"); run("DELETE FROM item")
    @pytest.mark.parametrize("i", range(2))
    def test_rows(self, i): assert run("SELECT name FROM item WHERE id = 1") == ["changed"]

def test_after_the_teardown():
    assert ids() == SEEDS and run("SELECT id FROM town") == []
    assert run("SELECT name FROM item WHERE id = 1") == ["seed 1"]

class TestSearchPath:
    @pytest.fixture(scope="class", autouse=True)
    def rows(self): run("INSERT INTO shop.article VALUES (1, 'Anvil')", "shop, parts")
    @pytest.mark.parametrize("i", range(3))
    def test_rows(self, i):
        assert run("SELECT id, small FROM shop.article") == [(1, "anvil")]
        run("DELETE FROM shop.article"); run("INSERT INTO shop.article VALUES (2, 'Bolt')", "shop, parts")
    def test_clone(self): run("CREATE TABLE more (id int)")
    def test_after_the_clone(self): assert run("SELECT id, small FROM shop.article") == [(1, "anvil")]

class TestUnreadable:
    @pytest.fixture(scope="class", autouse=True)
    def rows(self): run("INSERT INTO quotient (id, n) VALUES (2, 0)"); run("INSERT INTO bare DEFAULT VALUES")
    @pytest.mark.parametrize("i", range(2))
    def test_rows(self, i):
        assert run("SELECT id, n FROM quotient") == [(1, 0), (2, 0)] and run("SELECT count(*) FROM bare") == [2]
        run("DELETE FROM quotient"); run("DELETE FROM bare")

def test_unreadable_after(): assert run("SELECT id FROM quotient") == [1] and run("SELECT count(*) FROM bare") == [1]
"""
MANY = """
import pytest
from sqlalchemy import text
from baseline_models import engine

def run(*statements):
    with engine.begin() as connection:
        for statement in statements:
            found = connection.execute(text(statement))
        return [tuple(row) for row in found] if found.returns_rows else None

ALL = "SELECT count(*), sum(id), sum(hashtext(name)) FROM town"

@pytest.fixture(scope="session")
def atlas():
    run("INSERT INTO town SELECT g, 'town ' || g FROM generate_series(1, 20000) g")
    run("INSERT INTO item SELECT g, 'more ' || g FROM generate_series(1001, 7000) g")  # many by now
    return run(ALL), run("SELECT pg_backend_pid()")

WRITES = [
    ["UPDATE town SET name = 'x' WHERE id = 5"],
    ["UPDATE town SET name = 'x' WHERE id = 5", "UPDATE town SET name = 'town 5' WHERE id = 5"],
    ["DELETE FROM town WHERE id % 100 = 0"],
    ["DELETE FROM town WHERE id = 1", "INSERT INTO town VALUES (1, 'town 1')"],
    ["UPDATE town SET id = id + 100000 WHERE id < 50", "INSERT INTO town VALUES (7, 'in the way')"],
    ["INSERT INTO town SELECT g, 'new' FROM generate_series(30000, 37000) g"],
    ["INSERT INTO town VALUES (0, 'x')", "DELETE FROM town WHERE id = 0"],
    ["DELETE FROM item WHERE id > 6500", "UPDATE town SET name = name WHERE id < 100"],
    ["SELECT 1"],
]

@pytest.mark.parametrize("i", range(len(WRITES)))
def test_by_difference(i, atlas):
    assert run(ALL) == atlas[0] and run("SELECT count(*) FROM item") == [(7000,)]
    assert run("SELECT pg_backend_pid()") == atlas[1]  # no clone
    run(*WRITES[i])

class TestNarrower:
    @pytest.fixture(scope="class", autouse=True)
    def rows(self, atlas): run("UPDATE town SET name = 'class' WHERE id = 3", "DELETE FROM town WHERE id = 4")
    @pytest.mark.parametrize("i", range(2))
    def test_layer(self, i, atlas):
        assert run("SELECT id, name FROM town WHERE id BETWEEN 3 AND 5 ORDER BY 1") == [(3, "class"), (5, "town 5")]
        assert run("SELECT pg_backend_pid()") == atlas[1]
        run("DELETE FROM town WHERE id < 6")

LAST = ["SELECT 1", "TRUNCATE town", "CREATE TABLE more (id int)", "UPDATE town SET name = 'all'", "SELECT 1"]

@pytest.mark.parametrize("i", range(len(LAST)))
def test_clone(i, atlas):
    assert run(ALL) == atlas[0] and run("SELECT count(*) FROM item") == [(7000,)]
    run(LAST[i])
"""


@pytest.fixture
def models(project):
    """Return the project with these models."""
    (project.root / "baseline_models.py").write_text(MODELS)
    options = ("--crucible-metadata=baseline_models:Base", "--crucible-load=baseline_models:load", "--crucible-app=")
    return lambda tests, *more: project.run(tests, *options, "-W", "error", *more)


@pytest.mark.slow
def test_what_rows_need_of_the_schema(models):
    """Order, search_path, triggers and columns: each test starts from the rows of the baseline and of its fixtures."""
    result = models(TESTS, "-W", "ignore::pytest.PytestRemovedIn10Warning")
    result.assert_outcomes(passed=45)


@pytest.mark.slow
def test_a_table_with_many_rows_is_restored_by_difference(models):
    """Connections stay open, whatever was changed."""
    result = models(MANY, "-W", "ignore::pytest.PytestRemovedIn10Warning", "-k", "not test_clone")
    result.assert_outcomes(passed=11, deselected=5)


@pytest.mark.slow
def test_where_a_clone_costs_less(models):
    """Rows of a large table are restored by a clone where that costs less, and the summary says why."""
    result = models(MANY, "-W", "ignore::pytest.PytestRemovedIn10Warning")
    result.assert_outcomes(passed=16)
    result.stdout.fnmatch_lines(
        [
            "crucible: 1 clone after TRUNCATE (or a rewrite) of 20,000 seed rows of town: a refill would cost more (*)",
            "crucible: 1 clone after CREATE TABLE more (*)",
            "crucible: 1 clone after 20,000 seed rows of town changed or removed: a refill would cost more (*)",
        ]
    )
