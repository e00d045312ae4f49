"""A server that lives on after its last user, for as long as that user asks."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from .conftest import gone_after, supervisor_of

LONG = 600


@pytest.fixture(autouse=True)
def last_user(take):
    """End a server that still lingers after the test: its last user asks for no time."""
    yield
    take().release()


@pytest.mark.slow
def test_the_next_user_finds_the_server(take):
    """The server lives on, answers, and ends with the first user that does not ask for more."""
    first = take(linger=LONG)
    nest = Path(first.nest)
    first.release()
    time.sleep(0.2)
    second = take()
    assert second.nest == first.nest
    psycopg.connect(**second.admin.libpq()).close()
    second.release()
    gone_after(nest)


@pytest.mark.slow
def test_the_time_runs_from_the_last_user(take):
    """Each user begins the time anew."""
    first = take(linger=6)
    nest = Path(first.nest)
    first.release()
    time.sleep(3.5)
    take(linger=6).release()
    time.sleep(3.5)
    assert nest.exists()
    gone_after(nest)


def test_a_signal_ends_it(take):
    """A supervisor that waits for nothing but time ends at once where it is asked to."""
    held = take(linger=LONG)
    nest = Path(held.nest)
    held.release()
    time.sleep(0.2)
    supervisor_of(nest).terminate()
    assert gone_after(nest) < 5


def test_a_user_that_is_killed_asks_for_nothing(client):
    """Only a user that leaves in order has the server live on."""
    victim = client("linger")
    nest = victim.wait_ready()
    victim.bury()
    assert gone_after(nest) < 5


@pytest.mark.slow
def test_a_user_that_is_killed_withdraws_what_was_asked_before(client, take):
    """Nor does the server live on for a user that has left in order before one that is killed."""
    take(linger=LONG).release()
    victim = client("linger")
    nest = victim.wait_ready()
    victim.bury()
    assert gone_after(nest) < 5


def test_a_user_that_leaves_asks(client, take):
    """The next run's process finds the server of the last one."""
    before = client("linger")
    nest = before.wait_ready()
    assert before.leave() == 0
    after = take()
    assert after.nest == str(nest)
