"""Children that are forked."""

from __future__ import annotations

import pytest

from .conftest import Shop

POOL = """
def pool_of_two(function, n=3):
    with ProcessPoolExecutor(2, mp_context=FORK) as pool:
        return set(pool.map(function, range(n)))

def test_first_connection():
    assert os.getpid() not in pool_of_two(shop.add)
    assert shop.counts() == (3, 3)

@pytest.mark.parametrize("n", range(2))
def test_nothing_is_left(n):
    assert shop.counts() == (0, 0)
    pool_of_two(shop.add)
"""

OTHERS = """
def forked(function):
    child = FORK.Process(target=function)
    child.start()
    return child

def test_connections_of_the_parent():
    before = shop.pid(), shop.counts()
    def dispose_and_add():
        shop.engine.dispose()
        shop.add()
        assert shop.pid() != before[0]
    child = forked(dispose_and_add)
    child.join(120)
    assert child.exitcode == 0
    assert (shop.pid(), shop.counts()) == (before[0], (1, 1))

def test_a_session_that_is_open():
    with Session(shop.engine) as session:
        session.add(shop.Item())
        session.flush()
        child = forked(shop.add)
        child.join(120)
        assert child.exitcode == 0
        session.commit()
    assert shop.counts() == (2, 1)

def test_a_child_that_is_killed():
    def write_and_die():
        shop.add()
        with Session(shop.engine) as session:
            session.add(shop.Item())
            session.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    child = forked(write_and_die)
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert shop.counts() == (1, 1)

def test_a_child_of_a_child():
    def fork_again():
        shop.add()
        child = forked(shop.add)
        child.join(120)
        assert child.exitcode == 0
    child = forked(fork_again)
    child.join(120)
    assert (child.exitcode, shop.counts()) == (0, (2, 2))

async def test_on_a_loop():
    import asyncio
    async with shop.async_engine.connect() as connection:
        await connection.execute(text("select 1"))
    child = forked(shop.add_async)
    await asyncio.to_thread(child.join, 120)
    assert (child.exitcode, shop.counts()) == (0, (1, 0))

def test_a_child_that_stays():
    # It works on with its own connections, also after a fresh clone.
    def serve(there, back):
        while there.recv():
            back.send(shop.add())
    (there, end), (back, other) = FORK.Pipe(), FORK.Pipe()
    child = FORK.Process(target=serve, args=(end, other), daemon=True)
    child.start()
    globals().update(there=there, back=back)
    there.send(True)
    assert back.recv() == child.pid
    assert shop.counts() == (1, 1)

@pytest.mark.parametrize("n", range(3))
def test_the_child_that_stayed(n):
    there.send(True)
    back.recv()
    assert shop.counts() == (1, 1)
    if n == 1:
        with shop.engine.begin() as connection:
            connection.execute(text("create table more (id integer)"))
    if n == 2:
        there.send(False)

def test_the_warning_of_threads():
    # Python's own, where other threads run; none for those of Crucible's.
    import threading, warnings
    def warned():
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
        return ["multi-threaded" in str(warning.message) for warning in seen]
    assert {thread.name for thread in threading.enumerate()} >= {"crucible-children", "crucible-watchdog"}
    assert warned() == []
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    assert warned() == [True] * (sys.version_info >= (3, 12))
    end.set()
    thread.join()

def test_a_child_that_ends_as_a_program_does():
    pid = os.fork()
    if not pid:
        try:
            shop.add()
            sys.stdout = sys.stderr = open(os.devnull, "w")
            raise SystemExit
        finally:
            import atexit
            atexit._run_exitfuncs()
            os._exit(0)
    os.waitpid(pid, 0)
    assert shop.counts() == (1, 1)

def test_nothing_is_left_of_those():
    assert shop.counts() == (0, 0)
"""

FORKED = """
import os

import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    pid = os.fork()
    if not pid:
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        os._exit(any(report.failed for report in reports))
    _, status = os.waitpid(pid, 0)
    crashed = "test_crashes" in item.nodeid
    report = pytest.TestReport(
        item.nodeid, item.location, {}, "failed" if bool(status) != crashed else "passed", str(status), "call"
    )
    item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""


@pytest.mark.slow
def test_pools_and_children(shop_project: Shop) -> None:
    """Forked children use the parent's databases, all of which are put back; its own connections survive."""
    assert "15 passed" in shop_project.run(POOL + OTHERS)


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["reset", "clone", "rollback"])
@pytest.mark.parametrize("drivers", [("psycopg", "psycopg"), ("psycopg2", "asyncpg")])
def test_isolations(shop_project: Shop, isolation: str, drivers: tuple[str, str]) -> None:
    """The same in each isolation, for each driver."""
    words = {"DRIVER": drivers[0], "ASYNC_DRIVER": drivers[1]}
    assert "15 passed" in shop_project.run(POOL + OTHERS, f"--crucible-isolation={isolation}", **words)


@pytest.mark.slow
def test_workers(shop_project: Shop) -> None:
    """The same in the workers of pytest-xdist."""
    assert "15 passed" in shop_project.run(POOL + OTHERS, "-n", "2", "--dist", "loadfile")


@pytest.mark.slow
def test_each_test_in_a_child(shop_project: Shop) -> None:
    """Where each test runs in a forked child, as with pytest-forked, the parent puts back what it wrote."""
    (shop_project.root / "conftest.py").write_text(FORKED)
    try:
        printed = shop_project.run("""
@pytest.fixture(scope="module")
def seed():
    shop.add()

@pytest.mark.parametrize("n", range(3))
def test_writes(n, seed, crucible):
    assert shop.counts() == (1, 1)
    shop.add()

async def test_session(db_session):
    db_session.add(shop.Item())
    await db_session.commit()
    assert shop.counts() == (1, 0)

def test_crashes():
    shop.add()
    os.kill(os.getpid(), signal.SIGKILL)

def test_after_a_crash():
    assert shop.counts() == (0, 0)
""")
    finally:
        (shop_project.root / "conftest.py").unlink()
    assert "6 passed" in printed
