"""Fixtures of wider scopes that commit: what each test sees, and what is left when they go."""

from __future__ import annotations

import inner_project
import pytest

HEAD = (
    """
import pytest
from sqlalchemy import create_engine, delete, func, select, text, update

from app import Session, User
"""
    + inner_project.STATEMENTS
)


SCOPES = """
@pytest.fixture(scope="session")
async def of_session():
    async with Session.begin() as session:
        session.add(User(name="session"))
    yield
    assert "session" in names()

@pytest.fixture(scope="package")
def of_package():
    add("package")

@pytest.fixture(scope="module")
def of_module():
    add("module")
    yield
    assert "module" in names() and "test" not in names()

@pytest.fixture(scope="class")
async def of_class():
    async with Session.begin() as session:
        session.add(User(name="class"))
    yield
    async with Session.begin() as session:
        await session.execute(delete(User).where(User.name == "class"))

@pytest.fixture
def of_test():
    add("test")

class TestA:
    @pytest.mark.parametrize("i", range(2))
    def test_module(self, of_module, of_test, i): assert names() == ["module", "test"]
    @pytest.mark.parametrize("i", range(2))
    async def test_class(self, of_class, of_test, i): assert names() == ["class", "module", "test"]
    @pytest.mark.parametrize("i", range(2))
    async def test_session(self, of_session, of_test, i): assert names() == ["class", "module", "session", "test"]

class TestB:
    def test_gone(self): assert names() == ["module", "session"]
    def test_package(self, of_package): assert names() == ["module", "package", "session"]
    def test_package_again(self): assert names() == ["module", "package", "session"]
"""


def test_every_scope_synchronous_and_asynchronous(project):
    """Rows of session, module and class fixtures are there for exactly as long as their fixture."""
    result = project.run(HEAD + SCOPES)
    result.assert_outcomes(passed=9)


@pytest.mark.slow
def test_a_session_fixture_that_outlives_the_module_below_it(project):
    """It came up after the module's fixture, and its rows stay when that one's go."""
    result = project.run(
        HEAD
        + """
@pytest.fixture(scope="class")
def short():
    add("short")

@pytest.fixture(scope="session")
def long():
    add("long")

class TestA:
    def test_a(self, short): assert names() == ["short"]
    def test_b(self, short, long): assert names() == ["long", "short"]

class TestB:
    def test_a(self): assert names() == ["long"]; add("x")
    def test_b(self, short): assert names() == ["long", "short"]; add("x")
"""
    )
    result.assert_outcomes(passed=4)


def test_updates_deletes_and_sequences(project):
    """A wide fixture changes and removes what lies below it, and moves sequences; all of it comes back."""
    result = project.run(
        HEAD
        + """
@pytest.fixture(scope="session", autouse=True)
def seeds():
    add("a", "b", "c")

@pytest.fixture(scope="class")
def changed():
    run("UPDATE users SET name = 'B' WHERE name = 'b'")
    run("DELETE FROM users WHERE name = 'c'")
    run("SELECT setval('users_id_seq', 100)")

@pytest.fixture(scope="class")
def emptied():
    run("TRUNCATE users RESTART IDENTITY")

def test_before(): assert names() == ["a", "b", "c"] and next_id() == 4

class TestChanged:
    @pytest.mark.parametrize("i", range(2))
    def test(self, changed, i):
        assert names() == ["B", "a"] and next_id() == 101
        run("DELETE FROM users")

class TestEmptied:
    @pytest.mark.parametrize("i", range(2))
    def test(self, emptied, i):
        assert names() == [] and next_id() == 1
        add("x")

class TestBoth:
    def test(self, changed, emptied): assert names() == [] and next_id() == 1

def test_after(): assert names() == ["a", "b", "c"] and next_id() == 4
"""
    )
    result.assert_outcomes(passed=7)


def test_the_fresh_clone_after_a_tests_ddl_has_the_layers(project):
    """Also one that is taken off later, and one that comes up on the fresh clone."""
    result = project.run(
        HEAD
        + """
@pytest.fixture(scope="session", autouse=True)
def seeds(): add("seed"); run("SELECT setval('users_id_seq', 50)")

@pytest.fixture(scope="class")
def of_class(): add("class")

@pytest.fixture(scope="class")
def later(): add("later")

class TestA:
    def test_ddl(self, of_class): run("CREATE TABLE more (id int)"); add("x")
    def test_after(self, later):
        assert names() == ["class", "later", "seed"] and next_id() == 53
        run("DROP TABLE users")
    def test_clone(self): assert names() == ["class", "later", "seed"]; add("x"); run("ALTER TABLE users ADD y int")

def test_last(): assert names() == ["seed"] and next_id() == 51; run("ALTER TABLE users ADD y int")

@pytest.mark.crucible(isolation="clone")
def test_by_marker(): assert names() == ["seed"] and next_id() == 51; add("y")

def test_after_marker(): assert names() == ["seed"] and next_id() == 51
"""
    )
    result.assert_outcomes(passed=6)


WIDE_DDL = """
def tables():
    return [row[0] for row in run("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]

@pytest.fixture(scope="session", autouse=True)
def seeds(): add("seed")

@pytest.fixture(scope="class")
def table():
    run("CREATE TABLE more (id int)")
    run("INSERT INTO more VALUES (1)")
    add("class")
    yield
    run("DROP TABLE more")

@pytest.fixture(scope="class")
def rows(table):
    run("INSERT INTO more VALUES (2)")

@pytest.fixture(scope="class")
def another(): run("CREATE TABLE another (id int)")

class TestA:
    @pytest.mark.parametrize("i", range(2))
    def test_table(self, table, i):
        assert names() == ["class", "seed"] and run("SELECT id FROM more") == [(1,)]
        run("INSERT INTO more VALUES (5)")
        add("x")
    @pytest.mark.parametrize("i", range(2))
    def test_rows(self, rows, i):
        assert run("SELECT id FROM more ORDER BY 1") == [(1,), (2,)]
        run("DROP TABLE more" if i else "DELETE FROM more")
    def test_another(self, another, rows):
        assert tables() == ["another", "more", "users"] and run("SELECT id FROM more ORDER BY 1") == [(1,), (2,)]

class TestB:
    def test_gone(self): assert tables() == ["users"] and names() == ["seed"]
    def test_writes(self): add("x")
    def test_again(self): assert names() == ["seed"]
"""


def test_ddl_in_wide_fixtures(project):
    """A module that adds a table has it in each of its tests, with rows, and it is gone afterwards."""
    result = project.run(HEAD + WIDE_DDL)
    result.assert_outcomes(passed=8)


ON_NARROWER_DDL = """
def tables():
    return [row[0] for row in run("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]

@pytest.fixture(scope="session", autouse=True)
def seeds(): add("seed")

@pytest.fixture(scope="class")
def table():
    run("CREATE TABLE more (id int)")
    run("INSERT INTO more VALUES (1)")
    run("UPDATE users SET name = 'class' WHERE name = 'seed'")
    yield
    run("DROP TABLE more")

@pytest.fixture(scope="session")
def long():
    add("long")
    run("UPDATE users SET name = 'long too' WHERE name = 'class'")
    run("INSERT INTO more VALUES (2)")
    run("SELECT setval('users_id_seq', 70)")

@pytest.fixture(scope="session")
def longer(long): add("longer")

class TestA:
    def test_table(self, table): assert names() == ["class"]
    def test_long(self, table, long): assert names() == ["long", "long too"] and next_id() == 71
    def test_ddl(self, table, long): run("DROP TABLE more")
    def test_longer(self, table, longer): assert names() == ["long", "long too", "longer"]

class TestB:
    def test_gone(self): assert tables() == ["users"] and names() == ["long", "long too", "longer"]
    def test_writes(self): assert next_id() == 72; run("DELETE FROM users")
    def test_again(self): assert names() == ["long", "long too", "longer"]; run("CREATE TABLE more (id int)")
    def test_after_ddl(self): assert names() == ["long", "long too", "longer"] and next_id() == 72
"""


@pytest.mark.slow
def test_a_wider_fixture_that_comes_up_on_a_narrower_ones_ddl(project):
    """Its rows stay when the schema below them goes."""
    result = project.run(HEAD + ON_NARROWER_DDL)
    result.assert_outcomes(passed=8)


def test_wide_set_up_after_the_test_has_written(project):
    """Which rows are the fixture's can no longer be told: an error that names the fixture and what to do."""
    result = project.run(
        HEAD
        + """
@pytest.fixture(scope="module")
def catalogue(): add("catalogue")

def test_a(request):
    add("mine")
    request.getfixturevalue("catalogue")

def test_b(catalogue): assert names() == ["catalogue"]
def test_c(request): request.getfixturevalue("catalogue"); assert names() == ["catalogue"]
"""
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*The fixture 'catalogue' of a wider scope has written to the database after the test had.",
            "*Request 'catalogue' as an*",
        ]
    )


def test_nested_and_failing_wide_fixtures(project):
    """Each has its own rows; one that fails after it has written leaves none."""
    result = project.run(
        HEAD
        + """
@pytest.fixture(scope="session")
def inner(): add("inner")

@pytest.fixture(scope="class")
def outer(request):
    add("outer")
    request.getfixturevalue("inner")
    add("outer too")

@pytest.fixture(scope="class")
def failing():
    add("failing")
    raise RuntimeError

@pytest.fixture(scope="class")
def failing_later():
    add("failing later")
    yield
    add("and more")
    raise RuntimeError

class TestA:
    def test_a(self, outer): assert names() == ["inner", "outer", "outer too"]

class TestB:
    def test_a(self): assert names() == ["inner"]
    def test_b(self, failing): pass
    def test_c(self, failing): pass

class TestC:
    def test_a(self): assert names() == ["inner"]
    def test_b(self, failing_later): assert names() == ["failing later", "inner"]

def test_last(): assert names() == ["inner"]
"""
    )
    result.assert_outcomes(passed=5, errors=3)


def test_rows_written_at_import_and_between_fixtures(project):
    """What modules write at import stays for the run; a wide teardown that writes leaves nothing."""
    result = project.run(
        HEAD
        + """
add("import")

@pytest.fixture(scope="class")
def wide():
    add("wide")
    yield
    add("teardown")
    run("DELETE FROM users WHERE name = 'import'")

class TestA:
    def test_a(self): assert names() == ["import"]; add("x")
    def test_b(self, wide): assert names() == ["import", "wide"]

class TestB:
    def test_a(self): assert names() == ["import"]
"""
    )
    result.assert_outcomes(passed=3)


@pytest.mark.slow
def test_two_fixtures_that_change_the_same_row(project):
    """The later one's row stays for as long as it does; what was below it comes back with its end."""
    result = project.run(
        HEAD
        + """
def rows(): return [tuple(row) for row in run("SELECT id, name FROM users ORDER BY id")]

@pytest.fixture(scope="session", autouse=True)
def seeds(): run("INSERT INTO users (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')")

@pytest.fixture(scope="class")
def short():
    run("UPDATE users SET name = 'short' WHERE id = 1")
    run("DELETE FROM users WHERE id > 1")

@pytest.fixture(scope="module")
def long():
    run("UPDATE users SET name = 'long' WHERE id = 1")
    run("INSERT INTO users (id, name) VALUES (2, 'long too'), (4, 'c')")

LONG = [(1, "long"), (2, "long too"), (4, "c")]

class TestA:
    def test_a(self, short): assert rows() == [(1, "short")]
    def test_b(self, short, request): assert request.getfixturevalue("long") is None and rows() == LONG

class TestB:
    def test_a(self): assert rows() == LONG; run("DELETE FROM users")
    def test_b(self): assert rows() == LONG; run("CREATE TABLE more (id int)")
    def test_c(self): assert rows() == LONG
"""
    )
    result.assert_outcomes(passed=5)


OPEN = """
@pytest.fixture(scope="session")
def wide():
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO users (name) VALUES ('first')"))
        yield connection
        assert connection.scalars(text("SELECT id FROM users ORDER BY id")).all() == [1, 2, 3, 4]

@pytest.mark.parametrize("name", ["second", "third", "fourth"])
def test_insert(wide, name):
    wide.execute(text("INSERT INTO users (name) VALUES (:name)"), {"name": name})
    assert names() == []
"""


def test_a_wide_transaction_gets_no_value_of_a_sequence_twice(project):
    """A sequence that an open transaction uses is not reset while that lasts."""
    project.run(HEAD + OPEN).assert_outcomes(passed=3)
