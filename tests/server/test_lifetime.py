"""Whichever process is killed: no server and no data directory is left."""

import os
import signal
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from .conftest import gone_after, kill, postmaster_of, segment_of, segments, supervisor_of


def ended_after(process):
    """How long it took until the process had ended; who inherits it may take its time to notice."""
    began = time.perf_counter()
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE and time.perf_counter() < began + 10:
            time.sleep(0.001)
    return time.perf_counter() - began


def connect(held):
    return psycopg.connect(**held.admin.libpq(), autocommit=True)


@pytest.mark.slow
def test_six_clients_killed_at_once(client):
    """All users killed at once: server and data are gone within 50 ms on a quiet machine, 500 on any."""
    clients = [client() for _ in range(6)]
    (nest,) = {one.wait_ready() for one in clients}
    for one in clients:
        one.kill()
    assert gone_after(nest) < 0.5


@pytest.mark.slow
def test_the_starter_killed(client):
    """The client that started the server is killed: the others keep it."""
    starter = client()
    nest = starter.wait_ready()
    other = client()
    assert other.wait_ready() == nest
    starter.bury()
    time.sleep(0.05)
    assert nest.exists()
    assert other.leave() == 0
    gone_after(nest)


@pytest.mark.parametrize(
    "milliseconds", [0, 60, 200, *(pytest.param(each, marks=pytest.mark.slow) for each in (20, 40, 80, 120, 300))]
)
def test_a_client_killed_while_it_starts_the_server(client, root, cache, milliseconds, take):
    """A client killed at any moment of the start leaves nothing, and the next one starts as if nothing had been."""
    take().release()
    victim = client()
    time.sleep(0.15 + milliseconds / 1000)  # it imports first
    victim.bury()
    held = take()
    with connect(held) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    held.release()
    gone_after(Path(held.nest))


def test_the_supervisor_killed(take):
    """The supervisor is killed: postgres ends with it, and the client that leaves removes its data."""
    held = take()
    nest, postmaster = Path(held.nest), psutil.Process(postmaster_of(Path(held.nest)))
    supervisor_of(nest).kill()
    assert ended_after(postmaster) < 1
    assert nest.exists()
    held.release()
    assert not nest.exists()


def test_everybody_killed(client, take):
    """Users and supervisor are killed: the next start removes what is left."""
    victim = client()
    nest = victim.wait_ready()
    supervisor = supervisor_of(nest)
    supervisor.suspend()
    victim.bury()
    supervisor.kill()
    ended_after(supervisor)
    held = take()
    assert not nest.exists()
    assert Path(held.nest) != nest


def test_postgres_killed(take):
    """PostgreSQL is killed: no backend, segment or data stays, its last words can be read, and a lease starts anew."""
    held = take()
    nest, segment = Path(held.nest), segment_of(Path(held.nest))
    with closing(connect(held)) as busy:
        busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")  # never looks whether the server still lives
        kill(postmaster_of(nest))
        gone_after(nest)
        assert segment not in segments()
    assert "starting PostgreSQL" in held._share.where.last_log.read_text("utf-8")
    again = take()
    with connect(again) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_backend_killed(take):
    """A backend that is killed takes its connections with it, not the server."""
    held = take()
    with closing(connect(held)) as connection:
        kill(connection.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with connect(held) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
                break
        except psycopg.OperationalError:  # it recovers
            time.sleep(0.02)
    else:
        pytest.fail("the server did not recover")


@pytest.mark.slow
def test_a_program_of_a_killed_backend_does_not_end_the_server(take):
    """A process that a killed backend leaves behind is adopted and reaped, and the server goes on."""
    held = take()
    with closing(connect(held)) as connection:
        connection.pgconn.send_query(b"COPY (SELECT 1) TO PROGRAM 'sleep 0.3'")
        time.sleep(0.1)
        kill(connection.info.backend_pid)
    time.sleep(0.6)
    with connect(held) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_supervisor_asked_to_end(take, number):
    """Who asks the supervisor to end gets what the last user gets: nothing is left."""
    held = take()
    supervisor_of(Path(held.nest)).send_signal(number)
    gone_after(Path(held.nest))


def test_an_interrupt_in_the_terminal_spares_the_server(take):
    """Ctrl-C reaches the tests, not the server: it has a session of its own."""
    nest = Path(take().nest)
    supervisor = supervisor_of(nest)
    assert os.getsid(supervisor.pid) != os.getsid(0)
    assert supervisor.parent().pid != os.getpid()
