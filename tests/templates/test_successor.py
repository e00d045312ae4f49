"""The successor of a worker database: a clone that is ready before it is needed, and has the name that URLs have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from pytest_crucible.control import Answer, templates
from pytest_crucible.worker import successor
from pytest_crucible.worker.worker import Worker

OID = "SELECT oid FROM pg_database WHERE datname = current_database()"


@pytest.fixture
def worker(work: Callable[..., Worker]) -> Worker:
    """Return a worker whose database is made."""
    worker = work()
    worker.ready()
    return worker


def prepare(worker: Worker) -> None:
    """Make the successor, and wait for it."""
    worker.main.prepare_successor()
    worker.main._successor.wait()


def replace(worker: Worker) -> None:
    """Have the database made anew."""
    worker.main.discard()
    worker.ready()


def reset(worker: Worker) -> Answer:
    """Reset the database."""
    worker.main.send_reset()
    return worker.main.answer()


def databases(worker: Worker) -> dict[str, int]:
    """Return the databases of the worker, and their numbers."""
    query = "SELECT datname, oid FROM pg_database WHERE starts_with(datname::text, %s)"
    admin = worker.server.connect()
    return dict(admin._connection.execute(query, (worker.main.name.removesuffix("1"),)).fetchall())


def only_successor(worker: Worker) -> tuple[str, int]:
    """Return the name and the number of the one database beside the worker database."""
    found = databases(worker)
    del found[worker.main.name]
    ((name, oid),) = found.items()
    return name, oid


def test_a_url_stays_valid(worker: Worker):
    """The successor gets the name of the database, whose connections end; it is as new."""
    words = worker.address().libpq()
    leaked = psycopg.connect(**words, autocommit=True)
    leaked.execute("CREATE TABLE rest (id int)")
    prepare(worker)
    _, oid = only_successor(worker)
    replace(worker)
    with psycopg.connect(**words) as connection:
        assert connection.execute(OID).fetchone() == (oid,)
        assert connection.execute("SELECT to_regclass('rest')").fetchone() == (None,)
    with pytest.raises(psycopg.OperationalError):
        leaked.execute("SELECT 1")


def test_one_at_most_and_none_at_the_end(worker: Worker):
    """However often it is asked for: the old database goes before the next successor comes."""
    seen = []
    for _ in range(3):
        prepare(worker)
        prepare(worker)
        seen.append(len(databases(worker)))
        replace(worker)
    prepare(worker)
    assert seen == [2, 2, 2]
    assert worker.main.generation == 4
    other = worker.server.connect().beside()
    worker.close()
    assert not {name for name in other.databases("crucible_w_") if name.startswith(worker.main.name[:-1])}
    other.close()


def test_the_reset_knows_a_successor_s_baseline(worker: Worker):
    """A database that took a place is reset as any other, and what fires no trigger is found in it."""
    prepare(worker)
    replace(worker)
    with psycopg.connect(**worker.address().libpq(), autocommit=True) as connection:
        connection.execute("INSERT INTO users (name) VALUES ('ada')")
        assert reset(worker).done == "reset"
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
        connection.execute(f"ALTER DATABASE {worker.main.name} SET work_mem = '8MB'")
    answer = reset(worker)
    assert (answer.done, answer.why) == ("clone", "settings of the database")


def test_a_client_that_connects_again_and_again(worker: Worker):
    """A poller that connects anew whenever its connection ends does not delay the exchange."""
    words, over = worker.address().libpq(), threading.Event()

    def poll() -> None:
        while not over.is_set():
            try:
                with psycopg.connect(**words) as connection:
                    while not over.is_set():
                        connection.execute("SELECT 1")
            except psycopg.OperationalError:
                pass

    pollers = [threading.Thread(target=poll) for _ in range(3)]
    for poller in pollers:
        poller.start()
    try:
        began = time.monotonic()
        for _ in range(5):
            prepare(worker)
            replace(worker)
        assert time.monotonic() - began < 20  # PostgreSQL waits five seconds for a client to leave
    finally:
        over.set()
        for poller in pollers:
            poller.join()
    assert worker.main.generation == 6


def test_a_successor_that_cannot_be_made(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    """The error is not repeated: fresh clones are made when they are needed, and it is they that may fail."""
    clone, asked = templates.clone, []

    def refuse(admin, template, name):
        if threading.current_thread() is not threading.main_thread():
            asked.append(name)
            raise psycopg.errors.DiskFull
        return clone(admin, template, name)

    monkeypatch.setattr(templates, "clone", refuse)
    for _ in range(3):
        prepare(worker)
        replace(worker)
    assert len(asked) == 1
    assert worker.main.generation == 4
    assert list(databases(worker)) == [worker.main.name]


@pytest.mark.parametrize("what", ["large", "full", "unknown"])
def test_no_second_clone_where_it_may_be_too_large(worker: Worker, monkeypatch: pytest.MonkeyPatch, what: str):
    """A template that is large or of unknown size is cloned when it is needed, and so is any on a disk that is full."""
    if what == "large":
        monkeypatch.setattr(successor, "LARGEST", 1 << 20)
    elif what == "full":
        monkeypatch.setattr(type(worker.server.lease()), "room", lambda _: 100 << 20)
    else:
        monkeypatch.setattr("pytest_crucible.control.Admin.size", lambda *_: None)
    prepare(worker)
    assert list(databases(worker)) == [worker.main.name]
    replace(worker)
    assert worker.main.generation == 2


def test_the_end_while_it_is_made(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    """What is under way is cancelled: the run's end does not wait for it."""
    started, before = threading.Event(), set(threading.enumerate())

    def clone_slowly(admin, template, name):
        started.set()
        admin._connection.execute("SELECT pg_sleep(60)")

    monkeypatch.setattr(templates, "clone", clone_slowly)
    worker.main.prepare_successor()
    assert started.wait(10)
    time.sleep(0.05)
    began = time.monotonic()
    worker.close()
    assert time.monotonic() - began < 10
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "crucible-successor"]


def test_a_successor_that_another_client_dropped(worker: Worker):
    """A clean-up script drops it: a fresh clone is made."""
    prepare(worker)
    name, _ = only_successor(worker)
    worker.server.connect().drop(name)
    replace(worker)
    assert list(databases(worker)) == [worker.main.name]
    assert worker.main.generation == 2


def test_a_successor_of_another_template(worker: Worker):
    """A fixture has changed the schema since it was made: it is dropped."""
    prepare(worker)
    with psycopg.connect(**worker.address().libpq(), autocommit=True) as connection:
        connection.execute("CREATE TABLE wide (id int)")
    worker.main.copy_as_layer(2)
    with psycopg.connect(**worker.address().libpq(), autocommit=True) as connection:
        assert connection.execute("SELECT to_regclass('wide')").fetchone() == ("wide",)
    assert len(databases(worker)) == 2  # and the copy
    prepare(worker)
    replace(worker)
    with psycopg.connect(**worker.address().libpq(), autocommit=True) as connection:
        assert connection.execute("SELECT to_regclass('wide')").fetchone() == ("wide",)
    worker.take_off(2)
    worker.ready()
    with psycopg.connect(**worker.address().libpq(), autocommit=True) as connection:
        assert connection.execute("SELECT to_regclass('wide')").fetchone() == (None,)
