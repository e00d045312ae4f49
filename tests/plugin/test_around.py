"""What happens around each test: the reset's place among finalizers, failures, and how a run can end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PLAIN = """
import people

def test_a(): people.add("ada")
def test_b(): assert people.names() == []
"""


FINALIZERS = """
import people, pytest, unittest

@pytest.fixture(autouse=True)
def a_first():
    yield
    assert people.names() == ["ada"]

@pytest.fixture(autouse=True)
async def an_asynchronous_one():
    yield
    assert people.names() == ["ada"]

@pytest.fixture
def by_finalizer(request):
    request.addfinalizer(lambda: people.names() == ["ada"] or pytest.fail("too late"))

@pytest.fixture(scope="class", autouse=True)
def wider():
    yield
    assert people.names() == []

@pytest.fixture(scope="module", autouse=True)
def widest():
    yield
    assert people.names() == []
"""


def test_the_reset_is_the_last_of_a_tests_finalizers(suite):
    """Fixtures of every kind still see the test's rows when they are torn down, and wider ones do not."""
    result = suite.run(
        conftest=FINALIZERS,
        test_it="""
        import people, pytest

        def setup_module(module): assert people.names() == []
        def teardown_module(module): assert people.names() == []
        def teardown_function(function): assert people.names() == ["ada"]

        def test_function(by_finalizer): people.add("ada")
        async def test_coroutine(by_finalizer): people.add("ada")

        @pytest.mark.parametrize("i", range(2))
        class TestMethods:
            def setup_method(self): people.add("ada")
            def teardown_method(self): assert people.names() == ["ada"]
            def test_method(self, by_finalizer, i): pass
            async def test_coroutine(self, crucible, by_finalizer, db_session, i): pass
        """,
    )
    result.assert_outcomes(passed=6)


FAILING = """
import people, pytest

@pytest.fixture
def failing_setup():
    people.add("ada")
    raise RuntimeError("setup")

@pytest.fixture
def failing_teardown():
    yield
    people.add("ada")
    raise RuntimeError("teardown")

@pytest.fixture
async def failing_teardown_of_a_coroutine():
    yield
    people.add("ada")
    raise RuntimeError("teardown")

@pytest.fixture(autouse=True)
def clean():
    assert people.names() == []
    yield

def test_setup(failing_setup): pass
def test_after_setup(): pass
def test_call(): people.add("ada"); raise RuntimeError("call")
def test_after_call(): pass
def test_teardown(failing_teardown): pass
def test_after_teardown(): pass
async def test_teardowns(failing_teardown_of_a_coroutine, failing_teardown): pass
def test_after_teardowns(): pass
def test_skip(): people.add("ada"); pytest.skip("enough")
def test_after_skip(): pass
@pytest.mark.xfail
def test_xfail(): people.add("ada"); assert 0
def test_after_xfail(): pass
"""


def test_whatever_fails_is_put_back(suite):
    """A failure in set-up, call or tear-down, and a skip or an expected failure, leave no row behind."""
    result = suite.run(
        test_it=FAILING,
    )
    result.assert_outcomes(passed=8, failed=1, errors=3, skipped=1, xfailed=1)


OTHER_KINDS = '''
import unittest
import people
from app import Session, User
from sqlalchemy import func, select

class TestPlain(unittest.TestCase):
    @classmethod
    def setUpClass(cls): people.add("of the class")
    def setUp(self): people.add("of the test")
    def tearDown(self): assert people.names() == ["ada", "of the class", "of the test"]
    def test_a(self): people.add("ada")
    def test_b(self): people.add("ada")

class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        async with Session.begin() as session: session.add(User(name="of the test"))
    async def test_a(self):
        async with Session.begin() as session: session.add(User(name="ada"))
        assert people.names() == ["ada", "of the test"]
    async def test_b(self):
        async with Session() as session:
            assert await session.scalar(select(func.count()).select_from(User)) == 1

def documented():
    """
    >>> people.names()
    []
    >>> people.add("ada")
    >>> people.names()
    ['ada']
    """

def documented_too():
    """
    >>> people.names()
    []
    """

def test_last(): assert people.names() == []
'''


def test_other_kinds_of_tests(suite):
    """unittest's classes are put back like functions, with their own set-up; a doctest has no fixtures to ask."""
    result = suite.run(
        "--doctest-modules",
        test_it=OTHER_KINDS,
    )
    result.assert_outcomes(passed=7)


def test_items_that_are_no_python_functions(suite):
    """An item of the user's own, without fixtures, runs as ever; what it writes is put back before the next test."""
    (suite.root / "all.people").touch()
    result = suite.run(
        conftest="""
        import people, pytest
        from pytest_crucible.run import current_test

        class Item(pytest.Item):
            def runtest(self):
                assert current_test()[1].handle.id == self.nodeid
                assert people.names() == []
                people.add("ada")

        class File(pytest.File):
            def collect(self):
                return [Item.from_parent(self, name=name) for name in "ab"]

        def pytest_collect_file(parent, file_path):
            if file_path.suffix == ".people":
                return File.from_parent(parent, path=file_path)
        """,
        test_it="import people\ndef test(): assert people.names() == []",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("arguments", [("-x",), ("--maxfail=1",), ("--exitfirst", "-n0")])
def test_a_run_that_stops_early_leaves_nothing(suite, arguments):
    """The worker database goes, whatever ends the run."""
    result = suite.run(*arguments, test_it=PLAIN.replace('("ada")', '("ada"); assert 0'))
    result.assert_outcomes(failed=1)
    assert suite.databases() == []


def test_an_interrupt_leaves_nothing(suite):
    """Ctrl-C in a test, in a fixture and in an event loop."""
    for source in ("def test(): people.add('x'); raise KeyboardInterrupt", "async def test(): raise KeyboardInterrupt"):
        result = suite.run(test_it=f"import people\n{source}")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert suite.databases() == []


@pytest.mark.slow
def test_sigint_leaves_no_server_and_no_database(suite, suite_server, tmp_path, monkeypatch):
    """A real Ctrl-C, in a process that waits for the database, where no other process holds the server."""
    suite.write(
        test_it="""
        import os, pathlib, people, sqlalchemy

        def test_wait(crucible_run):
            with people.engine.connect() as connection:
                nest = crucible_run.worker.server.lease().nest
                pathlib.Path(os.environ["READY"]).write_text(nest)
                connection.execute(sqlalchemy.text("SELECT pg_sleep(60)"))
        """
    )
    root = tmp_path / "elsewhere"
    shutil.copytree(suite.root, root)
    monkeypatch.setenv("READY", str(ready := tmp_path / "ready"))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    # A shell in the background ignores Ctrl-C, and so would every process below it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 60
    while not (ready.exists() and ready.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    nest = Path(ready.read_text())
    assert nest.is_dir()
    time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    deadline = time.monotonic() + 10
    while nest.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not nest.exists()
