"""Templates: built exactly once, from what the user names, or not at all."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pytest_crucible.control import Admin, templates
from pytest_crucible.control import database_names as names
from pytest_crucible.control.marks import DatabaseEntry
from pytest_crucible.errors import CrucibleError, TemplateError
from pytest_crucible.project.template_trace import Trace


def ask(worker, query):
    with psycopg.connect(**worker.address().libpq(), autocommit=True) as connection:
        found = connection.execute(query)
        return found.fetchall() if found.description else None


def test_several_metadata_and_schemas(project, work):
    """Each schema that any of them names is there before the first table, and keys may cross."""
    project.write(
        "models",
        """
        from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        one = MetaData(schema="first")
        Table("a", one, Column("id", Integer, primary_key=True))
        class Base(DeclarativeBase): pass
        class B(Base):
            __tablename__ = "b"
            __table_args__ = {"schema": "Second schema"}
            id: Mapped[int] = mapped_column(primary_key=True)
        class C(Base):
            __tablename__ = "c"
            id: Mapped[int] = mapped_column(ForeignKey(B.id), primary_key=True)
        """,
    )
    module = project.name("models")
    worker = work(metadata=(f"{module}:one", f"{module}:Base"))
    assert ask(
        worker, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|info)' ORDER BY 1, 2"
    ) == [
        ("Second schema", "b"),
        ("first", "a"),
        ("public", "c"),
    ]


def test_sqlmodel(project, work):
    """``SQLModel`` is a declarative base like any other."""
    pytest.importorskip("sqlmodel")
    project.write(
        "models",
        """
        from sqlalchemy.orm import registry
        from sqlmodel import Field, SQLModel
        class Base(SQLModel, registry=registry()): pass
        class Hero(Base, table=True):
            id: int | None = Field(default=None, primary_key=True)
        """,
    )
    assert ask(work(), "SELECT count(*) FROM hero") == [(0,)]


@pytest.mark.parametrize(
    ("extension", "query"),
    [("citext", "SELECT 'A'::citext = 'a'"), ("uuid-ossp", "SELECT uuid_generate_v4() IS NOT NULL")],
)
def test_extensions(project, work, extension, query):
    """They are created before the tables, by the ordinary role."""
    project.edit("models", "name: Mapped[str]", "name: Mapped[str]\n\n\n# nothing")
    worker = work(extensions=(extension,))
    assert ask(worker, query) == [(True,)]


def test_a_column_of_an_extensions_type(project, work):
    """The fingerprint needs no database that knows the type."""
    project.edit(
        "models",
        "name: Mapped[str]",
        "name: Mapped[str] = mapped_column(__import__('sqlalchemy').dialects.postgresql.CITEXT)",
    )
    worker = work(extensions=("citext",))
    assert ask(worker, "INSERT INTO users (name) VALUES ('A') RETURNING name = 'a'") == [(True,)]


@pytest.mark.parametrize("extension", ["pgcrypto", "postgis", "nonsense"])
def test_extensions_that_are_not_there(project, work, extension):
    """The error names the extension and the servers that have it; nothing is left."""
    worker = work(extensions=(extension,))
    with pytest.raises(CrucibleError, match=extension) as caught:
        worker.ready()
    if extension != "nonsense":
        assert "container" in str(caught.value)
        assert "postgresql://" in str(caught.value)
    assert project.databases(project.root.name) == set()


FAILURES = {
    "create_all": (
        "models",
        'class Base(DeclarativeBase):\n    pass\n\n\nevent.listen(Base.metadata, "after_create", DDL("SELECT 1/0"))',
    ),
    "load": ("data", "def load(): raise RuntimeError('no such city')"),
    "async load": ("data", "async def load(session): raise RuntimeError('no such city')"),
    "load's SQL": ("data", "from sqlalchemy import text\ndef load(session): session.execute(text('SELECT 1/0'))"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_build_that_fails(project, work, what):
    """The error says what failed and why, the cause is attached; no database is left, and a later run succeeds."""
    module, text = FAILURES[what]
    words = {}
    if module == "models":
        project.edit("models", "class Base(DeclarativeBase):\n    pass", text)
    else:
        words["load"] = project.load(text)
    worker = work(**words)
    with pytest.raises(TemplateError) as caught:
        worker.ready()
    assert "division by zero" in str(caught.value) or "RuntimeError: no such city" in str(caught.value)
    assert caught.value.__cause__ is not None
    assert project.databases(project.root.name) == set()
    with pytest.raises(TemplateError):
        worker.ready()
    if module == "models":
        project.edit("models", "SELECT 1/0", "SELECT 1")
    later = work("bbbbbbbb")
    assert ask(later, "SELECT count(*) FROM users") == [(0,)]


LOADS = {
    "sync, with a session": "def load(session):\n    session.add(User(name='ada'))",
    "sync, by the application's own": """
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
Session = sessionmaker(create_engine("postgresql+psycopg2://app:secret@db.production.invalid/app"))
def load():
    with Session.begin() as session:
        session.add(User(name='ada'))
""",
    "async, with a session": "async def load(session):\n    session.add(User(name='ada'))\n    await session.flush()",
    "async, by the application's own": """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
Session = async_sessionmaker(create_async_engine("postgresql+asyncpg://app:secret@db.production.invalid/app"))
async def load():
    async with Session.begin() as session:
        session.add(User(name='ada'))
""",
    "async, with a context variable of the caller's": """
from contextvars import ContextVar
NAME = ContextVar("NAME")
NAME.set("ada")
async def load(session):
    session.add(User(name=NAME.get()))
""",
    "a class with __call__": """
class Load:
    async def __call__(self, session):
        session.add(User(name='ada'))
load = Load()
""",
    "a partial": """
import functools
def fill(session, name): session.add(User(name=name))
load = functools.partial(fill, name='ada')
""",
    "with a default": "def load(session, name='ada'):\n    session.add(User(name=name))",
}


@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=[pytest.mark.slow] if number % 2 else []) for number, how in enumerate(LOADS)]
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_data_in_the_template(project, work, how):
    """Each kind of loader; its rows are the baseline of every test, and its sequences go on."""
    load = project.load("from MODELS import User\n" + LOADS[how])
    worker = work(load=load)
    assert ask(worker, "SELECT id, name FROM users") == [(1, "ada")]
    ask(worker, "DELETE FROM users")
    worker.main.send_reset()
    assert worker.main.answer().done == "reset"
    assert ask(worker, "SELECT id, name FROM users") == [(1, "ada")]
    assert ask(worker, "INSERT INTO users (name) VALUES ('eve') RETURNING id") == [(2,)]


def test_data_is_loaded_inside_a_running_loop(project, work):
    """The first statement of an async test may be what builds the template."""
    import asyncio

    load = project.load("from MODELS import User\nasync def load(session):\n    session.add(User(name='ada'))")
    worker = work(load=load)

    async def main():
        return ask(worker, "SELECT name FROM users")

    assert asyncio.run(main()) == [("ada",)]


BUILD = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from pytest_crucible.settings import Settings
from pytest_crucible.server import lease
from pytest_crucible.worker.worker import Worker
worker = Worker(Settings(root=Path({root!r}), metadata=({models!r},), load={load!r}), sys.argv[1], "main")
worker.server._lease = lease("embedded", root=Path({server!r}), cache=Path({cache!r}))
worker.redirect.install()
print("here", flush=True)
sys.stdin.readline()
worker.ready()
print(worker.main.template.built, flush=True)
worker.close()
"""


def script(project, load):
    models = f"{project.name('models')}:Base"
    return BUILD.format(
        root=str(project.root),
        models=models,
        load=load,
        server=str(project.server_root),
        cache=str(project.server_cache),
    )


@pytest.mark.parametrize("processes", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_exactly_once_by_many_processes(project, monkeypatch, processes):
    """One builds, the others wait and find it."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    load = project.load(
        "import time\nfrom MODELS import User\ndef load(session):\n    session.add(User(name='ada')); time.sleep(0.3)"
    )
    command = [sys.executable, "-c", script(project, load)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen([*command, f"run{i}"], **pipes) for i in range(processes)]
    assert [run.stdout.readline() for run in runs] == ["here\n"] * processes
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    outputs = sorted(run.communicate(timeout=120)[0].strip() for run in runs)
    assert outputs == ["False"] * (processes - 1) + ["True"]
    assert [names.parse(name).kind for name in project.databases(project.root.name)] == ["template"]


@pytest.mark.slow
def test_a_build_that_died_is_built_again(project, work, monkeypatch):
    """Killed while it loads, it leaves a database without the mark; the next run drops it and builds."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    flag = project.root / "loading"
    load = project.load(f"""
        import pathlib, time
        from MODELS import User
        def load(session):
            session.add(User(name='ada'))
            session.commit()
            if not pathlib.Path({str(flag)!r}).exists():
                pathlib.Path({str(flag)!r}).touch()
                time.sleep(60)
        """)
    run = subprocess.Popen([sys.executable, "-c", script(project, load), "cccccccc"], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not flag.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    run.kill()
    run.wait()
    (debris,) = project.databases(project.root.name)
    assert project.admin.databases(debris) == {debris: False}
    worker = work(load=load)
    assert ask(worker, "SELECT name FROM users") == [("ada",)]
    assert False not in project.admin.databases("crucible_t_" + project.root.name).values()


def test_a_build_that_goes_on_is_not_collected(project, work):
    """Its database has no mark yet; another run of another fingerprint leaves it alone."""
    name = names.template(names.label(project.root.name, 24), "0123456789abcdef")
    with project.admin.locked(templates.building(name)):
        project.admin.create(name, owner="app", template="template0")
        work().ready()
        assert name in project.databases()
    work("bbbbbbbb").ready()
    assert name not in project.databases()


@pytest.mark.slow
def test_old_templates_are_collected(project, work):
    """The four used last stay, and those that a live run clones from; another project's are not touched."""
    other = names.template("another", "0123456789abcdef")
    project.admin.create(other, owner="app", template="template0")
    project.admin.mark_template(other)
    project.admin.note(other)
    live = work("aaaaaaaa")
    live.ready()
    used = project.databases("crucible_t_" + project.root.name)
    for i in range(7):
        project.edit("models", "name: Mapped[str]", f"name: Mapped[str]\n    column{i}: Mapped[str]")
        live.redirect.remove()
        worker = project.worker(f"run{i}")
        worker.ready()
        worker.close()
    there = project.databases("crucible_t_" + project.root.name)
    assert used < there
    assert len(there) <= templates.KEPT_TEMPLATES + 2
    assert other in project.databases()
    project.admin.drop(other)


def test_databases_of_dead_runs_are_collected(project, work):
    """Also copies that a wide fixture's DDL made; not those of live runs, nor kept failures."""
    label = names.label(project.root.name, 24)
    dead = [names.worker(label, "dead1234", "gw0", i) for i in (1, 2)]
    kept = names.kept("tests/test_a.py::test_a", "dead1234")
    live = work("eeeeeeee")
    live.ready()
    ask(live, "CREATE TABLE more (id int)")
    live.main.copy_as_layer(7)
    assert len(project.databases("eeeeeeee")) == 2
    for name in [*dead, kept]:
        project.admin.create(name, owner="app", template="template0")
    for name in project.databases("eeeeeeee"):
        assert names.parse(name) is not None, name
    work("ffffffff").ready()
    there = project.databases()
    assert not there & set(dead)
    assert len(project.databases("eeeeeeee")) == 2
    assert kept in there
    project.admin.drop(kept)


def test_a_clone_keeps_owner_privileges_and_settings(project, work):
    """What the build did to its database (ALTER DATABASE SET, GRANT and REVOKE) holds in every clone."""
    project.edit(
        "models",
        "class Base(DeclarativeBase):\n    pass",
        """class Base(DeclarativeBase):
    pass


@event.listens_for(Base.metadata, "after_create")
def alter(target, connection, **_):
    name = connection.exec_driver_sql("SELECT quote_ident(current_database())").scalar()
    for statement in (
        "ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'",
        "ALTER DATABASE {} SET search_path TO \\"$user\\", public, other",
        "ALTER DATABASE {} SET application_name TO 'it''s'",
        "REVOKE CONNECT ON DATABASE {} FROM PUBLIC",
        "GRANT TEMPORARY ON DATABASE {} TO pg_monitor",
        "COMMENT ON DATABASE {} IS 'theirs'",
    ):
        connection.exec_driver_sql(statement.format(name))
""",
    )
    worker = work()
    facts = (
        "SELECT pg_get_userbyid(datdba), ARRAY(SELECT acl::text FROM unnest(datacl) acl ORDER BY 1)"
        " FROM pg_database WHERE datname = current_database()"
    )
    settings = "SELECT current_setting('timezone'), current_setting('search_path')"
    for _ in range(2):
        ((owner, privileges),) = ask(worker, facts)
        assert owner == worker.main.template.owner
        assert f"pg_monitor=T/{owner}" in privileges
        assert [entry for entry in privileges if entry.startswith("=")] == [f"=T/{owner}"]
        assert ask(worker, settings) == [("Asia/Tokyo", '"$user", public, other')]
        worker.main.discard()


def test_a_template_is_found_under_another_label(project, work):
    """A checkout in a folder of another name has the same template; two that build at once build one."""
    work("aaaaaaaa").ready()
    (there,) = project.databases("crucible_t_" + project.root.name)
    parsed = names.parse(there)
    elsewhere = names.template("another-checkout", parsed.fingerprint)
    wanted = templates.Wanted("another-checkout", parsed.fingerprint, "app", None, trace=lambda: Trace({}, {}))
    found = templates.get_or_build(project.admin, wanted, pytest.fail)
    assert (found.name, found.built) == (there, False)
    assert templates.building(elsewhere) == templates.building(there)


def test_the_database_of_a_process_of_the_same_run_that_died_is_collected(project, work):
    """A worker that crashed goes with the next that comes, or with the next that leaves, though the run goes on."""
    label = names.label(project.root.name, 24)
    crashed, later = (names.worker(label, "abcdabcd", f"gw{i}", 1) for i in (7, 8))
    project.admin.create(crashed, owner="app", template="template0")
    worker = work("abcdabcd")
    worker.ready()
    assert crashed not in project.databases()
    project.admin.create(later, owner="app", template="template0")
    worker.close()
    assert later not in project.databases()


def test_what_this_process_holds_is_alive(project):
    """A process that looks for the debris of dead ones does not take its own databases for it."""
    project.admin.live("a process")
    assert not project.admin.is_dead("a process")
    assert project.admin.is_dead("another process")


def test_a_build_that_ends_meanwhile_is_not_collected(project):
    """A template that was incomplete when the databases were listed, and complete when its lock was free, stays."""
    name = names.template("another", "fedcba9876543210")
    project.admin.create(name, owner="app", template="template0")
    project.admin.note(name, "")
    listed = project.admin.entries(names.PREFIX)
    project.admin.mark_template(name)

    class Late(Admin):
        """The administrator, to whom the databases were listed before the build has ended."""

        def entries(self, prefix: str) -> list[DatabaseEntry]:
            return listed if prefix == names.PREFIX else super().entries(prefix)

    late = Late.__new__(Late)
    vars(late).update(vars(project.admin))
    assert name not in templates.collect(late, "another")
    assert name in project.databases()
    project.admin.drop(name)


@pytest.fixture
def template(project) -> Iterator[tuple[str, templates.Wanted]]:
    """Yield the name of a complete template, and the description by which a run finds it."""
    name, trace = names.template("another", "0123456776543210"), Trace({}, {})
    project.admin.create(name, owner="app", template="template0")
    project.admin.mark_template(name)
    yield name, templates.Wanted("another", "0123456776543210", "app", None, lambda: trace)
    project.admin.drop(name)


def test_a_template_that_a_run_has_just_found_is_not_collected(project, template):
    """Another run that listed it as too old before looks once more."""
    name, wanted = template

    class Late(Admin):
        """The administrator, to whom no template was in use yet."""

        def dead(self, keys: Collection[str]) -> set[str]:
            return {*keys}

    late = Late(project.admin._lease)
    run = project.admin.beside()
    assert templates.get_or_build(run, wanted, pytest.fail).name == name
    assert templates.collect(late, "another", 0) == []
    run.close()
    assert templates.collect(late, "another", 0) == [name]
    late.close()


def test_a_template_that_is_dropped_when_a_run_finds_it_is_built(project, template):
    """The run waits for the other one, and builds its own."""
    name, wanted = template
    run, other = project.admin.beside(), project.admin.beside()
    with ThreadPoolExecutor() as pool:
        with other.alone(templates.in_use(name)) as is_unused:
            assert is_unused
            found = pool.submit(templates.get_or_build, run, wanted, lambda _: None)
            while not project.admin._value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert not found.done(), found.result()
                time.sleep(0.005)
            other.drop(name)
        assert found.result(60).built
    assert project.admin.databases(name) == {name: True}
    for each in (run, other):
        each.close()


def test_many_templates_are_looked_at_together(project, work):
    """The statements that look for what to collect do not grow with the number of databases, nor their answers much."""
    statements = []
    connection = project.admin._connection
    project.admin._connection = Noting(connection, statements)
    counts = []
    made = [names.template("another", f"{number:016x}") for number in range(12)]
    for name in made:
        project.admin.create(name, owner="app", template="template0")
        project.admin.note(name, "x" * 20_000)
        project.admin.mark_template(name)
        statements.clear()
        assert templates.collect(project.admin, "another", 12) == []
        counts.append(len(statements))
        assert max(len(entry.comment) for entry in project.admin.entries(name)) < 1_000
        assert project.admin.remarks([name]) == {name: "x" * 20_000}
    assert counts == [counts[0]] * 12
    project.admin._connection = connection
    for name in made:
        project.admin.drop(name)


class Noting:
    """A connection that notes its statements."""

    def __init__(self, connection: psycopg.Connection, statements: list[object]) -> None:
        self.connection = connection
        self.statements = statements

    def execute(self, query: object, *arguments: object) -> psycopg.Cursor:
        self.statements.append(query)
        return self.connection.execute(query, *arguments)
