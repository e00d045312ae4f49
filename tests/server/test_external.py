"""External servers: what is checked, and what is said."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from pytest_crucible.errors import CrucibleError, PermissionMissing, ServerError, UsageError
from pytest_crucible.server import external, lease

HERE = Path()
# The thread that imports psycopg is slow enough to want its parts when the lease has begun to.
RACE = """
import sys, threading, time

class Slow:
    begun = threading.Event()

    def find_spec(self, name, path=None, target=None):
        if name == "psycopg":
            self.begun.set()
            time.sleep(0.1)

sys.meta_path.insert(0, Slow())
from pytest_crucible.control.driver import imported_meanwhile
from pytest_crucible.errors import ServerError
from pytest_crucible.server import external

with imported_meanwhile():
    Slow.begun.wait()
    try:
        external.lease("postgresql://127.0.0.1:1/postgres")
    except ServerError as error:
        print(error)
import psycopg.rows
print(psycopg.rows.Row)
"""


@pytest.fixture
def url(shared):
    """Make the URL of a role on a live server."""

    def make(user="crucible_admin", database="postgres", password="", driver="postgresql"):
        host, secret = quote(shared.info.host, safe="/"), f":{password}" if password else ""
        return f"{driver}://{user}{secret}@/{database}?host={host}"

    return make


@pytest.fixture
def role(shared):
    """Make a role for one test."""
    made = []

    def make(name, options):
        shared.execute(f"CREATE ROLE {name} LOGIN {options}")
        made.append(name)
        return name

    yield make
    for name in made:
        shared.execute(f"DROP ROLE {name}")


def refusal(url):
    with pytest.raises(CrucibleError) as caught:
        lease(url, root=HERE)
    assert caught.value.do
    return caught.value


@pytest.mark.parametrize("driver", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg2"])
def test_a_server_by_its_url(url, role, driver):
    """An ordinary role that may create databases is all that is asked for."""
    held = lease(url(role("ci", "CREATEDB"), driver=driver), root=HERE)
    assert (held.kind, held.owned, held.admin.user) == ("external", False, "ci")
    assert held.note.startswith("PostgreSQL 18")
    assert held.note.endswith(" as ci")
    held.keep_image()
    held.release()
    held.release()
    with psycopg.connect(**held.admin.libpq()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_note_keeps_the_password(url, role):
    """A password is in the address, not in what is shown."""
    held = lease(url(role("ci", "CREATEDB"), password="secret"), root=HERE)
    assert held.admin.password == "secret"
    assert "secret" not in held.note


def test_no_createdb(url, role):
    """A role that may not create databases is told the statement that changes it."""
    error = refusal(url(role("plain", "")))
    assert isinstance(error, PermissionMissing)
    assert 'ALTER ROLE "plain" CREATEDB;' in error.do


def test_too_many_connections(url, role):
    """Where no connection is left, the error says how many are needed and what to raise."""
    error = refusal(url(role("crowded", "CREATEDB CONNECTION LIMIT 0")))
    assert isinstance(error, ServerError)
    assert "All its connections are in use" in error.why
    assert "max_connections" in error.do


def test_no_such_database(url):
    """A maintenance database that does not exist is named."""
    error = refusal(url(database="nowhere"))
    assert 'database "nowhere" does not exist' in error.found
    assert "/postgres" in error.do


def test_no_such_role(url):
    """A role that the server does not know is an error of authentication."""
    error = refusal(url(user="nobody_at_all"))
    assert "does not accept this role" in error.why


def test_a_wrong_password(take, url):
    """A password that the server refuses is an error of authentication, which does not repeat it."""
    held = take()
    Path(held.nest, "data", "pg_hba.conf").write_text("local all crucible_admin trust\nlocal all all scram-sha-256\n")
    with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
        connection.execute("CREATE ROLE ci LOGIN CREATEDB PASSWORD 'right'")
        connection.execute("SELECT pg_reload_conf()")
    error = refusal(held.admin.url().replace("crucible_admin@", "ci:wrongword@"))
    assert "does not accept this role or its password" in error.why
    assert "wrongword" not in str(error)
    assert "does not accept this role or its password" in refusal(held.admin.url().replace("crucible_admin", "ci")).why


@pytest.mark.parametrize("where", ["127.0.0.1:1", "/?host=/nowhere"])
def test_nobody_there(where):
    """Where no server listens, the error names the place and an example."""
    error = refusal(f"postgresql://u@{where}")
    assert "Cannot connect to" in error.found
    assert "not running" in error.why
    assert "postgresql://user:password@host:5432" in error.do


def test_a_server_too_old(url, monkeypatch):
    """A server that is too old is named with its version."""
    monkeypatch.setattr(external, "OLDEST", 99)
    error = refusal(url())
    assert "PostgreSQL 18" in error.found
    assert "99 or later" in error.why


def test_a_standby(url, monkeypatch):
    """A standby is refused: it accepts no writes."""
    monkeypatch.setattr(external, "FACTS", external.FACTS.replace("pg_is_in_recovery()", "true"))
    assert "standby" in refusal(url()).found


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("embeded", "names no server"),
        ("sqlite:///test.db", "never against SQLite"),
    ],
)
def test_other_words(spec, words):
    """What names no server that works now is told what does."""
    error = refusal(spec)
    assert isinstance(error, UsageError)
    assert words in str(error)
    assert '"embedded"' in error.do


def test_the_password_of_the_environment_is_used(url, monkeypatch):
    """What libpq reads besides (PGPASSWORD, a password file) counts, also for drivers that would not read it."""
    monkeypatch.setenv("PGPASSWORD", "secret")
    assert lease(url(), root=HERE).admin.password == "secret"
    assert os.environ["PGPASSWORD"] == "secret"


def test_psycopg_is_imported_by_a_thread_meanwhile():
    """The thread that imports psycopg while a server is leased does not disturb the import by the lease."""
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=True)
    assert "Cannot connect to 127.0.0.1:1" in done.stdout
    assert not done.stderr
