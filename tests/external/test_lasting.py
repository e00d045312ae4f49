"""The connection that says that a run is alive, on a server whose administrator thinks otherwise of idle ones."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from pytest_crucible.control import Admin
from pytest_crucible.server import lease


@pytest.mark.slow
def test_an_idle_run_stays_alive_and_a_vanished_one_does_not(external, role):
    """A server that ends idle sessions spares Crucible's; a machine that is gone is noticed after 90 seconds."""
    name = role("idler", "CREATEDB", "ALTER ROLE idler SET idle_session_timeout = '50ms'")
    admin = Admin(lease(external.url(name), root=Path()))
    admin.live("somebody")
    time.sleep(0.3)
    with psycopg.connect(external.url("postgres"), autocommit=True) as other:
        taken = other.execute("SELECT pg_try_advisory_lock(hashtextextended('somebody', 0))").fetchone()
        assert taken == (False,)
    assert admin._value("SHOW tcp_keepalives_idle") == "60"
    admin.close()
