"""A callable makes the schema by any tool, through a connection or a URL."""

from __future__ import annotations

import asyncio

import pytest

from pytest_crucible.errors import TemplateError, UsageError

READS = '@pytest_crucible.reads("db/*.sql")\n'
ENGINE = """
from sqlalchemy import create_engine, text
engine = create_engine("postgresql+psycopg://app:secret@db.production.invalid/shop")
"""
WAYS = {
    "a connection": "def build(connection):\n    connection.exec_driver_sql('CREATE TABLE t (id int)')",
    "its own transaction": "def build(connection):\n    with connection.begin():\n"
    "        connection.exec_driver_sql('CREATE TABLE t (id int)')",
    "an async connection": "async def build(connection):\n"
    "    await connection.exec_driver_sql('CREATE TABLE t (id int)')",
    "a URL": "def build(url):\n    import psycopg\n    with psycopg.connect(url) as connection:\n"
    "        connection.execute('CREATE TABLE t (id int)')",
    "an async one with a URL": "async def build(*, url):\n    import psycopg\n"
    "    async with await psycopg.AsyncConnection.connect(url) as connection:\n"
    "        await connection.execute('CREATE TABLE t (id int)')",
    "both, and a default": "def build(url, connection, again=False, **more):\n"
    "    assert connection.engine.url.database != url\n"
    "    connection.exec_driver_sql('CREATE TABLE t (id int)')",
    "neither": "def build():\n    with engine.begin() as connection:\n"
    "        connection.execute(text('CREATE TABLE t (id int)'))",
    "an object": "class Build:\n    def __call__(self, connection):\n"
    "        connection.exec_driver_sql('CREATE TABLE t (id int)')\nbuild = pytest_crucible.reads()(Build())\n#",
}


def path(project, text, reads=READS):
    project.write("db/schema.sql", "-- what it reads")
    before, keyword, rest = text.partition("async def build" if "async def build" in text else "def build")
    return project.module(ENGINE + before + (reads if keyword else "") + keyword + rest)


@pytest.mark.parametrize("way", WAYS)
def test_ways(project, work, ask, way):
    """It gets what its parameters name, and what it does is committed."""
    worker = work(path(project, WAYS[way]))
    assert ask(worker, "SELECT count(*) FROM t") == [(0,)]
    [owner] = ask(worker, "SELECT tableowner::text FROM pg_tables WHERE tablename = 't'")
    assert owner == (worker.main.template.owner,)


def test_while_a_loop_runs(project, work, ask):
    """An async callable works from within an async test, whose loop goes on."""
    worker = work(path(project, WAYS["an async connection"] + "\n    import asyncio; await asyncio.sleep(0)"))

    async def test():
        return ask(worker, "SELECT count(*) FROM t")

    assert asyncio.run(test()) == [(0,)]


def test_a_program(project, work, ask):
    """A program of any language gets the URL, as the role that owns the schema."""
    text = """
    import subprocess
    from pytest_crucible.server.embedded.binaries import psql
    @pytest_crucible.reads("db/*.sql")
    def build(url):
        subprocess.run([psql(), "--no-psqlrc", "--quiet", "--file", "db/schema.sql", url], cwd=ROOT, check=True)
    """
    project.write("db/schema.sql", "CREATE TABLE t (id int)")
    worker = work(project.module(text.replace("ROOT", repr(str(project.root)))))
    assert ask(worker, "SELECT count(*) FROM t") == [(0,)]


def test_scripts_and_callables(project, work, ask):
    """Entries run in their order, scripts and callables alike."""
    project.write("a.sql", "CREATE TABLE t (id int)")
    project.write("c.sql", "INSERT INTO t SELECT id + 1 FROM t")
    text = "@pytest_crucible.reads()\ndef build(connection): connection.exec_driver_sql('INSERT INTO t VALUES (1)')"
    worker = work("a.sql", project.module(text), "c.sql")
    assert ask(worker, "SELECT id FROM t ORDER BY 1") == [(1,), (2,)]


FAILURES = {
    "raises": ("def build(connection):\n    raise KeyError('no plan')", "KeyError: 'no plan'"),
    "async, raises": ("async def build():\n    raise KeyError('no plan')", "KeyError: 'no plan'"),
    "refused": ("def build(connection):\n    connection.exec_driver_sql('SELECT 1/0')", "division by zero"),
    "a program": (
        """def build():
            import subprocess, sys
            subprocess.run([sys.executable, "-c", "exit('no such plan')"], check=True, capture_output=True)""",
        "exit code 1: no such plan",
    ),
    "no table": ("def build(connection): pass", "no table"),
    "a commit that is missing": (
        "def build(): engine.connect().execute(text('CREATE TABLE t (id int)')).close()",
        "did not commit",
    ),
}


@pytest.mark.parametrize("what", FAILURES)
def test_one_that_fails(project, work, what):
    """The error says which callable failed and with what; no database is left."""
    text, said = FAILURES[what]
    worker = work(path(project, text))
    with pytest.raises(TemplateError, match=said) as caught:
        worker.ready()
    assert f"build_{project.number}:build" in caught.value.found
    assert caught.value.why
    assert caught.value.do
    assert project.databases() == set()


WRONG = {
    "another name": ("@pytest_crucible.reads()\ndef build(session): ...", "wants 'session'"),
    "a generator": ("@pytest_crucible.reads()\ndef build(connection):\n    yield", "yields"),
    "no callable": ("build = 42", "is int, not a callable"),
    "no declaration": ("def build(connection): ...", "does not declare the files that it reads"),
    "a file that is missing": ("@pytest_crucible.reads('db/nothing.sql')\ndef build(url): ...", "No file matches"),
    "no such name": ("def other(): ...", "has no 'build'"),
    "a module that raises": ("1/0", "ZeroDivisionError"),
}


@pytest.mark.parametrize("what", WRONG)
def test_one_that_cannot_be_called(project, what):
    """A wrong signature, a missing declaration and a missing file are errors that say what to write."""
    text, said = WRONG[what]
    with pytest.raises(UsageError, match=said) as caught:
        project.fingerprint(project.module(text))
    assert caught.value.do
