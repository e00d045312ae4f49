"""A server that is not Crucible's: the main job as far as the role's rights reach, and no other data touched."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_crucible.control.marks import MARK

MARKED = f"CONNECTION LIMIT {MARK}"
HEAD = """
import pytest
from sqlalchemy import create_engine, text

engine = create_engine("postgresql+psycopg://app@db.production.invalid/app")

def run(statement):
    with engine.begin() as connection:
        found = connection.execute(text(statement))
        return [tuple(row) for row in found] if found.returns_rows else None
"""
MAIN = (
    HEAD
    + """
def names(): return [row[0] for row in run("SELECT name FROM users ORDER BY name")]
def add(name): run(f"INSERT INTO users (name) VALUES ('{name}')")

@pytest.fixture(scope="module")
def wide(): add("wide")

async def test_client(async_client):
    assert (await async_client.post("/users", params={"name": "ada"})).status_code == 200
    assert names() == ["ada"]
def test_clean(): assert names() == [] and run("SELECT nextval('users_id_seq')") == [(1,)]
def test_sequence(): assert run("SELECT nextval('users_id_seq')") == [(1,)]
def test_wide(wide): assert names() == ["wide"]; add("x")
def test_still_wide(): assert names() == ["wide"]; run("TRUNCATE users")
def test_ddl(): assert names() == ["wide"]; run("CREATE TABLE more (id int)"); add("y")
def test_after_ddl(): assert names() == ["wide"] and run("SELECT to_regclass('more') IS NULL") == [(True,)]
def test_alter(): run("ALTER TABLE users ADD more int"); run("CREATE INDEX ON users (more)")
def test_after_alter():
    assert run("SELECT * FROM users LIMIT 0") == []
    run("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
def test_after_function(): assert run("SELECT count(*) FROM pg_proc WHERE proname = 'f'") == [(0,)]
def test_temporary(): run("CREATE TEMP TABLE t (id int)")
def test_after_temporary(): assert run("SELECT to_regclass('t') IS NULL") == [(True,)]
@pytest.mark.crucible(isolation="clone")
def test_clone(): assert names() == ["wide"]; add("z")
def test_last(crucible_run): assert names() == ["wide"]
"""
)

# Triggers that write elsewhere, a circle of keys, row-level security that binds the owner, a key to itself.
SCHEMA = """
from sqlalchemy import DDL, ForeignKey, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)
    favourite: Mapped[int | None] = mapped_column(ForeignKey("child.id", use_alter=True))
    above: Mapped[int | None] = mapped_column(ForeignKey("parent.id"))


class Child(Base):
    __tablename__ = "child"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent: Mapped[int] = mapped_column(ForeignKey("parent.id"))


class Toy(Base):
    __tablename__ = "toy"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent: Mapped[int] = mapped_column(ForeignKey("tree.id"))


class Tree(Base):
    __tablename__ = "tree"
    id: Mapped[int] = mapped_column(primary_key=True)


class Audited(Base):
    __tablename__ = "audited"
    id: Mapped[int] = mapped_column(primary_key=True)


class Audit(Base):
    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)


class Guarded(Base):
    __tablename__ = "guarded"
    id: Mapped[int] = mapped_column(primary_key=True)


for statement in (
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN INSERT INTO audit DEFAULT VALUES; RETURN NULL; END'",
    "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON audited FOR EACH ROW EXECUTE FUNCTION note()",
    "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE guarded FORCE ROW LEVEL SECURITY",
    "CREATE POLICY high ON guarded USING (id > 5)",
    "INSERT INTO tree VALUES (1)",
    "INSERT INTO audited VALUES (1)",
):
    event.listen(Base.metadata, "after_create", DDL(statement))
"""
TREES = (
    HEAD
    + """
def rows():
    tables = "parent child toy tree audited audit guarded".split()
    return {table: len(run(f"SELECT id FROM {table}")) for table in tables if run(f"SELECT id FROM {table}")}

WRITES = [
    "INSERT INTO parent (id) VALUES (1), (2); INSERT INTO child VALUES (1, 1);"
    "UPDATE parent SET favourite = 1, above = 2",
    "INSERT INTO tree VALUES (2); INSERT INTO toy VALUES (1, 1), (2, 2)",
    "DELETE FROM tree",
    "UPDATE tree SET id = 7",
    "INSERT INTO audited VALUES (2); DELETE FROM audited WHERE id = 1",
    "INSERT INTO guarded VALUES (7)",
    "TRUNCATE tree CASCADE",
    "SELECT 1",
]

@pytest.mark.parametrize("i", range(len(WRITES)))
def test_writes(i):
    assert rows() == {"tree": 1, "audited": 1, "audit": 1}
    assert run("SELECT id FROM tree") == [(1,)]
    for statement in WRITES[i].split(";"):
        run(statement)
"""
)
KINDS = {
    "superuser": ("SUPERUSER", []),
    "plain": ("CREATEDB", ["no superuser: DDL is found by comparing the catalog after each test"]),
    "granted": ("CREATEDB", ["no superuser: DDL is found by comparing the catalog after each test"]),
}


def of_kinds(*quick: str) -> pytest.MarkDecorator:
    """Run a test with the URL of a role of each kind, by default only of the *quick* ones."""
    kinds = [pytest.param(kind, marks=[] if kind in quick else pytest.mark.slow) for kind in KINDS]
    return pytest.mark.parametrize("url", kinds, indirect=True)


@pytest.fixture
def url(request, external, role):
    """Return the URL of a role with more rights or fewer."""
    name = f"ci_{request.param}"
    role(name, KINDS[request.param][0])
    if request.param == "granted":
        with external.connect() as connection:
            if connection.info.server_version < 150000:
                pytest.skip("GRANT … ON PARAMETER came with PostgreSQL 15")
            connection.execute(f"GRANT SET ON PARAMETER session_replication_role TO {name}")
    return request.param, external.url(name)


@of_kinds("superuser", "plain")
def test_the_main_job(project, external, url):
    """Rows, sequences, layers and DDL, whatever the role may do; the header says what it may not."""
    kind, address = url
    before = external.databases()
    result = project.run(MAIN, f"--crucible-server={address}", "-W", "error")
    result.assert_outcomes(passed=14)
    for note in KINDS[kind][1]:
        result.stdout.fnmatch_lines([f"crucible: {note}"])
    made = external.databases() - before
    assert len(made) == 1
    assert made.pop().startswith("crucible_t_project")


@of_kinds("granted")
def test_what_stands_in_the_way_of_putting_back(project, external, url):
    """Triggers, circles of keys, keys with rows on both sides, and row-level security that binds the owner."""
    _, address = url
    project.root.joinpath("trees.py").write_text(SCHEMA)
    result = project.run(TREES, f"--crucible-server={address}", "--crucible-metadata=trees:Base", "--crucible-app=")
    result.assert_outcomes(passed=8)


def test_no_createdb(project, external, role):
    """The error names the role and the statement that changes it."""
    result = project.run(MAIN, f"--crucible-server={external.url(role('nobody', ''))}", "-k", "client")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*ALTER ROLE "nobody" CREATEDB*'])
    assert "src/pytest_crucible" not in result.stdout.str()


@pytest.mark.slow
def test_the_second_run_finds_the_template_of_the_first(project, external, role):
    """It is built once; a run that finds it builds nothing."""
    url = external.url(role("ci"))
    before = external.databases()
    for _ in range(2):
        project.run(MAIN, f"--crucible-server={url}", "-k", "client").assert_outcomes(passed=1)
    (template,) = external.databases() - before
    with external.connect() as connection:
        query = "SELECT datistemplate, datallowconn, pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
        assert connection.execute(query, (template,)).fetchone() == (True, False, "ci")


@pytest.mark.slow
def test_nobody_elses_databases_are_touched(project, external, role):
    """Their names may look like Crucible's; nothing connects to them, and none is dropped or altered."""
    names = ["theirs_too", "crucible", "crucible_test", "crucible_w_old", "crucible_w_billing_eu_west_1"]
    names += ["crucible_t_shop_0123456789abcdef", "crucible_k_test_it_01234567_ci"]
    external.execute(*(f"CREATE DATABASE {name}" for name in names))
    with external.connect() as connection:
        facts = "oid, datname, datdba, datacl, datistemplate, datallowconn"
        query = f"SELECT {facts} FROM pg_database WHERE datname <> ALL (%s)"
        before = connection.execute(query, (["template0"],)).fetchall()
        project.run(MAIN, f"--crucible-server={external.url(role('ci'))}").assert_outcomes(passed=14)
        after = connection.execute(query, (["template0"],)).fetchall()
        assert [row for row in after if not row[1].startswith("crucible_t_project")] == before
        query = "SELECT sum(sessions) FROM pg_stat_database WHERE datname = ANY (%s)"
        assert connection.execute(query, (names,)).fetchone() == (0,)
    external.execute(*(f"DROP DATABASE {name}" for name in names))


def test_a_dead_processs_database_is_collected_and_a_live_ones_is_not(project, external, role):
    """A live process holds its lock; what a dead one left is dropped by the next."""
    url = external.url(role("ci"))
    dead = ["crucible_w_other_deadbeef_gw0_1", "crucible_w_other_deadbeef_gw0_2"]
    live = "crucible_w_other_abcdef01_gw0_1"
    external.execute(*(f"CREATE DATABASE {name} OWNER ci {MARKED}" for name in [*dead, live]))
    with external.connect() as connection:
        connection.execute("SELECT pg_advisory_lock_shared(hashtextextended('abcdef01 gw0', 0))")
        project.run(MAIN, f"--crucible-server={url}", "-k", "client").assert_outcomes(passed=1)
        there = external.databases()
    assert live in there
    assert not there & set(dead)


@pytest.mark.slow
def test_temporary_objects_where_backends_have_gaps(project, external, role):
    """Whose they are is found out also where the numbers of backends are not their places in a list."""
    earlier = [external.connect() for _ in range(4)]
    for connection in earlier[:3]:
        connection.close()
    url = external.url(role("ci"))
    project.run(MAIN, f"--crucible-server={url}", "-k", "temporary").assert_outcomes(passed=2)
    earlier[3].close()


@pytest.mark.slow
def test_two_runs_at_once(project, external, role):
    """They share the template and nothing else."""
    url = external.url(role("ci"))
    before = external.databases()
    path = project.root / "test_twice.py"
    path.write_text(MAIN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path), f"--crucible-server={url}"]
    runs = [subprocess.Popen(command, cwd=project.root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    path.unlink()
    assert [run.returncode for run in runs] == [0, 0], "\n".join(outputs)[-6000:]
    assert len(external.databases() - before) == 1


def test_another_roles_debris(project, external, role):
    """What a dead run of another role left stays, as this role may not drop it, and the run goes on."""
    role("other")
    left = "crucible_w_other_deadbeef_gw0_1"
    external.execute(f"CREATE DATABASE {left} OWNER other {MARKED}")
    project.run(MAIN, f"--crucible-server={external.url(role('ci'))}", "-k", "client").assert_outcomes(passed=1)
    assert left in external.databases()


@pytest.mark.slow
def test_two_roles_use_one_server(project, external, role):
    """Each has templates of its own; neither stands in the other's way."""
    urls = [external.url(role(name)) for name in ("first", "second")]
    for url in [*urls, urls[0]]:
        project.run(MAIN, f"--crucible-server={url}", "-k", "client").assert_outcomes(passed=1)
    with external.connect() as connection:
        ours = "datistemplate AND datname ~ '^crucible_t'"
        query = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE {ours} ORDER BY 1"
        assert connection.execute(query).fetchall() == [("first",), ("second",)]
