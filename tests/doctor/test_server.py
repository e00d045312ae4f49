"""The server: what lies on it, how many connections it has, and what hand-written transactions leave there."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from pytest_crucible.cli import main
from pytest_crucible.control import database_names as names
from pytest_crucible.control.marks import MARK
from pytest_crucible.server import Lease, lease

from .conftest import Make, Patient

ASKING = ("import",)


@pytest.fixture(scope="module")
def database_server(server_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lease]:
    """Yield a server on which no other test leaves anything."""
    share = lease("embedded", root=tmp_path_factory.mktemp("tidy"), cache=server_cache)
    yield share
    share.release()


@pytest.fixture
def made(database_server: Lease) -> Iterator[Callable[[str], None]]:
    """Create databases, which are dropped afterwards."""
    created: list[str] = []
    with psycopg.connect(database_server.admin.url(), autocommit=True) as connection:

        def make(name: str) -> None:
            connection.execute(f'CREATE DATABASE "{name}" CONNECTION LIMIT {MARK}'.encode())
            created.append(name)

        yield make
        for name in created:
            connection.execute(f'DROP DATABASE "{name}"'.encode())


def on_server(project_of: Make, server: Lease, *, addopts: str = "", files: dict[str, str] | None = None) -> Patient:
    extra = f'crucible_server = "{server.admin.url()}"\naddopts = "{addopts}"\n'
    return project_of(files, on=True, extra=extra)


def test_databases_of_dead_runs(project_of: Make, database_server: Lease, made: Callable[[str], None]):
    """A worker database whose process is no more is noted, and who drops it."""
    name = names.worker("app", "deadbeef", "mainx1", 1)
    made(name)
    [finding] = on_server(project_of, database_server).found("stale-databases", without=ASKING)
    assert name in finding.found
    assert "crucible gc --server" in finding.do


def test_databases_of_live_runs(project_of: Make, database_server: Lease, made: Callable[[str], None]):
    """A worker database whose process holds its lock is not collected."""
    made(names.worker("app", "living", "mainx1", 1))
    with psycopg.connect(database_server.admin.url()) as connection:
        connection.execute("SELECT pg_advisory_lock_shared(hashtextextended('living mainx1', 0))")
        assert on_server(project_of, database_server).found("stale-databases", without=ASKING) == []


def test_kept_databases_and_templates(project_of: Make, database_server: Lease, made: Callable[[str], None]):
    """Kept failures, and more templates than a project keeps, are noted."""
    kept = names.kept("tests/test_it.py::test_it", "12345678")
    made(kept)
    for number in range(5):
        made(names.template("app", f"{number:016x}"))
    kept_finding, templates = on_server(project_of, database_server).found("stale-databases", without=ASKING)
    assert kept in kept_finding.found
    assert "crucible psql" in kept_finding.do
    assert "There are 5 templates" in templates.found
    assert "--templates" in templates.do


def test_what_gc_drops(project_of: Make, database_server: Lease):
    """After crucible gc, and with --templates, as the findings say, none of them is left."""
    url = database_server.admin.url()
    with psycopg.connect(url, autocommit=True) as connection:
        templates = [names.template("app", f"{number:016x}") for number in range(5)]
        dead, kept = names.worker("app", "deadbeef", "mainx1", 1), names.kept("tests/test_it.py::test_it", "12345678")
        for name in (dead, kept, *templates):
            connection.execute(f'CREATE DATABASE "{name}" CONNECTION LIMIT {MARK}'.encode())
    patient = on_server(project_of, database_server)
    assert len(patient.found("stale-databases", without=ASKING)) == 3
    assert main(["gc", "--server", url, "--root", str(patient.root)]) == 0
    assert len(patient.found("stale-databases", without=ASKING)) == 1
    assert main(["gc", "--server", url, "--root", str(patient.root), "--templates"]) == 0
    assert patient.found("stale-databases", without=ASKING) == []


def test_a_server_on_which_nothing_is_left(project_of: Make, database_server: Lease):
    """A tidy server gets no finding, and is named among the versions."""
    diagnosis = on_server(project_of, database_server).diagnosis(without=ASKING)
    assert diagnosis.versions["server"].startswith("PostgreSQL 18")
    assert not {"stale-databases", "server-unreachable"}.intersection(one.code for one in diagnosis.findings)


def test_a_server_that_does_not_answer(project_of: Make):
    """A server that cannot be reached is an error, at its line, without its password."""
    patient = project_of(on=True, extra='crucible_server = "postgresql://me:secret@127.0.0.1:9/postgres"\n')
    [finding] = patient.found("server-unreachable", without=ASKING)
    assert (finding.file, finding.line, finding.severity) == ("pyproject.toml", 16, "error")
    assert "Cannot connect to" in finding.found
    assert "secret" not in str(finding)


def test_a_server_that_cannot_be_started(project_of: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What the machine refuses while a server is started is a finding, and the others are still found."""
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path / "cache"))
    patient = project_of({"tests/test_it.py": "async def test_it(event_loop): ..."}, on=True)
    [finding] = patient.found("server-unreachable", without=ASKING)
    assert "/nowhere/python" in finding.found
    assert len(patient.found("event-loop-fixture")) == 1


APP = {
    "app/__init__.py": "",
    "app/models.py": """
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase): pass

        class User(Base):
            __tablename__ = "users"
            id: Mapped[int] = mapped_column(primary_key=True)
    """,
    "app/main.py": """
        from fastapi import FastAPI
        from sqlalchemy import create_engine

        import app.models

        engine = create_engine("postgresql+psycopg://localhost/app", pool_size=30, max_overflow=20)
        app = FastAPI()
    """,
}


@pytest.mark.slow
def test_more_connections_than_the_server_has(project_of: Make, database_server: Lease):
    """The pools of all workers together are held against max_connections."""
    patient = on_server(project_of, database_server, addopts="-n 8", files=APP)
    [finding] = patient.found("too-many-connections", without=())
    assert finding.found.startswith("8 workers may open 408 connections, and the server allows 19")
    assert "pool_size + max_overflow" in finding.why
    patient = on_server(project_of, database_server, addopts="--numprocesses=2", files=APP)
    assert patient.found("too-many-connections", without=()) == []
    smaller = {**APP, "app/main.py": APP["app/main.py"].replace("pool_size=30, max_overflow=20", "pool_size=5")}
    patient = on_server(project_of, database_server, addopts="-n 8", files=smaller)
    assert patient.found("too-many-connections", without=()) == []


@pytest.mark.slow
def test_workers_are_the_machine_s_without_a_number(project_of: Make, database_server: Lease):
    """Without -n in addopts, as many workers as the machine has processors are counted."""
    patient = on_server(project_of, database_server, addopts="-n auto", files=APP)
    [finding] = patient.on(cpus=16).found("too-many-connections", without=())
    assert finding.found.startswith("16 workers")
    assert patient.on(cpus=1).found("too-many-connections", without=()) == []


# -- what the findings about transactions say is so -------------------------------------------------------------------

BLOCK_COMMITS = """
    with engine.connect() as conn:
        with conn.begin() as trans:
            session = Session(bind=conn, join_transaction_mode="create_savepoint")
            yield session
            session.close()
        trans.rollback()
"""
BLOCK_ROLLS_BACK = """
    with engine.connect() as conn:
        with conn.begin() as trans:
            session = Session(bind=conn, join_transaction_mode="create_savepoint")
            yield session
            session.close()
            trans.rollback()
"""
SESSION_ROLLS_BACK = """
    with engine.begin() as conn:
        session = Session(bind=conn, join_transaction_mode="create_savepoint")
        yield session
        session.rollback()
        session.close()
"""


@pytest.fixture
def engine(database_server: Lease) -> Iterator[sqlalchemy.Engine]:
    """Yield an engine on a table without rows."""
    url = database_server.admin.url().replace("postgresql://", "postgresql+psycopg://")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE doctor (id int)"))
    yield engine
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE doctor"))


def rows(session: Session | sqlalchemy.Connection) -> int:
    return session.execute(sqlalchemy.text("SELECT count(*) FROM doctor")).scalar_one()


def as_fixture(body: str, engine: sqlalchemy.Engine) -> Callable[[], object]:
    """Return the body of a fixture, to be used as a block."""
    scope: dict[str, object] = {"engine": engine, "Session": Session, "text": sqlalchemy.text}
    exec("def fixture():\n" + textwrap.indent(textwrap.dedent(body), "    "), scope)  # noqa: S102
    return contextmanager(scope["fixture"])  # type: ignore[arg-type]


def said(project_of: Make, body: str, code: str) -> bool:
    text = "from sqlalchemy.orm import Session\nimport pytest\n\n@pytest.fixture\ndef session(engine):\n"
    patient = project_of({"tests/conftest.py": text + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n"})
    return bool(patient.found(code))


@pytest.mark.filterwarnings("ignore:transaction already deassociated")
@pytest.mark.parametrize(("body", "left"), [(BLOCK_COMMITS, 1), (SESSION_ROLLS_BACK, 1), (BLOCK_ROLLS_BACK, 0)])
def test_what_a_block_leaves(project_of: Make, engine: sqlalchemy.Engine, body: str, left: int):
    """On PostgreSQL, the fixtures that are said to commit do, and the others leave nothing."""
    assert said(project_of, body, "commits-every-test") is bool(left)
    with as_fixture(body, engine)() as session:
        session.execute(sqlalchemy.text("INSERT INTO doctor VALUES (1)"))
        session.commit()
    with engine.connect() as connection:
        assert rows(connection) == left
