"""The embedded server: what it is, who shares it, when it ends."""

import os
import time
from pathlib import Path

import psycopg
import pytest

from pytest_crucible.server import lease
from pytest_crucible.server.embedded import launcher

from .conftest import gone_after, segment_of, segments


def value(held, query, database="postgres"):
    with psycopg.connect(**held.admin.to(database).libpq(), autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


def test_a_lease_is_a_server(take):
    """A lease names a server that answers, and its administrator."""
    held = take()
    assert (held.kind, held.owned) == ("embedded", True)
    assert held.admin.user == "crucible_admin"
    assert held.note.startswith("embedded PostgreSQL 18")
    assert value(held, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("autovacuum", "off"),
        ("jit", "off"),
        ("max_wal_senders", "0"),
        ("max_logical_replication_workers", "0"),
        ("io_method", "sync"),
        ("max_connections", "200"),
        ("shared_buffers", "128MB"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
    ],
)
def test_settings(shared, name, expected):
    """The server is set up for tests: fast, reachable by this user only, the same on every machine."""
    assert shared.execute(f"SHOW {name}").fetchone()[0] == expected


def test_text_is_unicode(shared):
    """Upper and lower case work beyond ASCII, and sorting is that of code points."""
    assert shared.execute("SELECT upper('äé'), 'Z' < 'a'").fetchone() == ("ÄÉ", True)


def test_system_tables_can_be_opened(shared):
    """The administrator may use the schema names that PostgreSQL reserves."""
    shared.execute("SET allow_system_table_mods = on")
    shared.execute("CREATE SCHEMA pg_tried")
    shared.execute("DROP SCHEMA pg_tried")


def test_one_server_for_all(take, client):
    """Leases of one project, in this process and in others, share one server."""
    mine, other = take(), take()
    assert mine.nest == other.nest
    assert client().wait_ready() == Path(mine.nest)


def test_two_projects_have_two_servers(take, tmp_path, cache):
    """Another project has another server."""
    mine, other = take(), lease("embedded", root=tmp_path, cache=cache)
    assert mine.nest != other.nest
    other.release()


def test_the_last_one_ends_it(take):
    """The server runs until the last lease is released, and then leaves nothing behind."""
    first, last = take(), take()
    nest, segment = Path(last.nest), segment_of(Path(last.nest))
    first.release()
    first.release()  # again does nothing
    time.sleep(0.05)
    assert value(last, "SELECT 1") == 1
    last.release()
    gone_after(nest)
    assert segment not in segments()


def test_no_lock_files_stay(take, root):
    """The lock files of a project go with its server."""
    held = take()
    locks = held._share.where.locks
    mine = [path for path in locks.iterdir() if path.name.startswith(held._share.where.key)]
    assert {path.suffix for path in mine} == {".users", ".start", ".ready"}
    held.release()
    gone_after(Path(held.nest))
    assert not [path for path in locks.iterdir() if path.name.startswith(held._share.where.key)]


def test_the_next_one_starts_it_again(take):
    """After the last lease was released the next one starts a server, also while the old one still ends."""
    for _ in range(3):
        held = take()
        assert value(held, "SELECT 1") == 1
        held.release()


def test_joining_is_quick(take):
    """A lease of a running server costs less than a connection: 5 ms."""
    take()

    def once() -> float:
        began = time.perf_counter()
        take().release()
        return time.perf_counter() - began

    assert min(once() for _ in range(10)) < 0.005


def test_a_forked_child_holds_nothing(take):
    """A child that was forked neither ends its parent's server nor keeps it alive."""
    held = take()
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(theirs)
        held.release()
        os.read(ours, 1)  # until the parent lets go
        os._exit(0)
    os.close(ours)
    time.sleep(0.05)
    assert value(held, "SELECT 1") == 1
    held.release()
    gone_after(Path(held.nest))
    os.close(theirs)
    os.waitpid(child, 0)


def test_settings_of_the_user_do_not_reach_it(take, monkeypatch):
    """Variables that PostgreSQL reads are the application's, not the server's."""
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "xx_XX")
    with psycopg.connect(**take().admin.libpq()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(("cores", "connections"), [(None, 200), (2, 200), (8, 200), (64, 1600)])
def test_connections_for_a_worker_on_each_core(monkeypatch, cores, connections):
    """A machine with many cores runs many workers, each with the pools of its application."""
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert launcher.settings(18, overlay=False)["max_connections"] == str(connections)
    assert f"max_connections={connections}" in launcher.containerised()
