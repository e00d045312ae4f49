"""The cache of images: no other user's may be used, and a run goes on where it cannot be written."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

import pytest_crucible
from pytest_crucible.errors import ServerError, UsageError
from pytest_crucible.server import folders, private
from pytest_crucible.server.supervisor import images

from .conftest import gone_after

NOBODY = 65534
ME = os.geteuid()
needs_root = pytest.mark.skipif(ME != 0, reason="gives files to another user")


def select(held, query="SELECT 1"):
    with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


def own_folder(cache):
    path = cache / str(ME)
    path.mkdir(parents=True)
    path.chmod(0o700)
    return path


def given_away(cache):
    os.chown(own_folder(cache), NOBODY, NOBODY)


def images_given_away(cache):
    (own_folder(cache) / "images").mkdir()
    os.chown(cache / str(ME) / "images", NOBODY, NOBODY)


def open_to_all(cache):
    own_folder(cache).chmod(0o777)


def open_to_a_group(cache):
    own_folder(cache).chmod(0o770)
    os.chown(cache / str(ME), ME, NOBODY)


def link(cache):
    own_folder(cache.parent / "elsewhere")
    cache.mkdir()
    (cache / str(ME)).symlink_to(cache.parent / "elsewhere" / str(ME))


def below_one_for_all(cache):
    own_folder(cache)
    cache.chmod(0o777)


@pytest.mark.parametrize(
    ("prepare", "why", "do"),
    [
        pytest.param(given_away, "belongs to nobody", "another folder", marks=needs_root),
        pytest.param(images_given_away, "belongs to nobody", "another folder", marks=needs_root),
        (open_to_all, "may write to it", "chmod -R go-w"),
        pytest.param(open_to_a_group, "may write to it", "chmod -R go-w", marks=needs_root),
        (link, "link", "rm "),
        (below_one_for_all, "another folder in the place of", "chmod +t"),
    ],
)
def test_a_cache_that_others_may_write_to_is_refused(tmp_path, monkeypatch, prepare, why, do):
    """The error names the folder and what to do; without a name the cache lies among the temporary files."""
    cache = tmp_path / "pytest-crucible"
    prepare(cache)
    with pytest.raises(UsageError) as caught:
        folders.image_folder(cache)
    assert str(cache) in caught.value.found
    assert why in caught.value.found
    assert do in caught.value.do
    monkeypatch.setattr("pytest_crucible.server.cache.default_cache", lambda: cache)
    monkeypatch.delenv("CRUCIBLE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert folders.own(folders.short()) in folders.image_folder(None).parents


def test_a_shared_folder_holds_one_for_each_user(tmp_path):
    """Where only its owner can rename a folder, as in /tmp, other users may make their own beside it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    folder = folders.image_folder(shared)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]


def test_no_umask_opens_the_cache(tmp_path):
    """What is made in it is this user's alone, also where new files are open to all."""
    (tmp_path / "data").mkdir()
    before = os.umask(0)
    try:
        folder = folders.image_folder(tmp_path / "new" / "cache")
        images.pack(str(tmp_path / "data"), str(folder / "x.image"))
    finally:
        os.umask(before)
    assert folders.image_folder(tmp_path / "new" / "cache") == folder
    assert stat.S_IMODE((folder / "x.image").stat().st_mode) == 0o600


def planted(image):
    """Put a file there, as another user does while the folder is open."""
    os.chown(image, NOBODY, NOBODY)


def writable(image):
    image.chmod(0o666)


def folder(image):
    image.unlink()
    image.mkdir()
    (image / "something").touch()


def pipe(image):
    image.unlink()
    os.mkfifo(image)


@pytest.mark.parametrize(
    "hurt",
    [
        pytest.param(planted, marks=needs_root),
        writable,
        *(pytest.param(each, marks=pytest.mark.slow) for each in (folder, pipe)),
    ],
)
def test_what_is_no_image_of_this_user_is_put_aside(take, hurt):
    """PostgreSQL does not start from it: the server begins afresh, and the next image is saved in its place."""
    held = take()
    image = held._share.where.image
    held.keep_image()
    held.release()
    gone_after(Path(held.nest))
    hurt(image)
    held = take()
    assert select(held) == 1
    assert not image.exists()
    held.keep_image()
    held.release()
    gone_after(Path(held.nest))
    assert image.is_file()


def written(paths):
    return [path for path in paths if path.stat().st_size > 1000]


def test_what_a_killed_saving_left_goes(take, tmp_path):
    """The next start removes it, but no image that another process is just saving."""
    held = take()
    folder = held._share.where.images
    held.release()
    gone_after(Path(held.nest))
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "large").open("wb") as file:
        file.truncate(2 << 30)
    code = "import sys; from pytest_crucible.server.supervisor import images; images.pack(*sys.argv[1:])"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "data"), str(folder / "killed.image")]) as saving:
        deadline = time.monotonic() + 30
        while not (parts := written(folder.glob("killed.image.*"))) and time.monotonic() < deadline:
            time.sleep(0.001)
        removed = images.clear(str(folder))
        saving.kill()
    assert removed == []
    assert [path.exists() for path in parts] == [True]
    take()
    assert list(folder.glob("killed.image*")) == []


def taken_by_a_folder(path):
    path.mkdir()
    path.chmod(0o777)


def taken_by_a_link(path):
    path.symlink_to("/")


def taken_by_a_file(path):
    path.touch()


def taken_by_another_user(path):
    path.mkdir(0o700)
    os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize(
    "take_name",
    [taken_by_a_folder, taken_by_a_link, taken_by_a_file, pytest.param(taken_by_another_user, marks=needs_root)],
)
def test_a_name_that_is_taken(tmp_path, take_name):
    """Another one is used, and stays in use when the first is free again: all processes must agree."""
    first = tmp_path / f"crucible-{ME}"
    take_name(first)
    second = folders.own(tmp_path)
    assert second == tmp_path / f"crucible-{ME}-2"
    assert private.is_own(second)
    first.rmdir() if first.is_dir() and not first.is_symlink() else first.unlink()
    assert folders.own(tmp_path) == second


def test_all_names_are_taken(tmp_path):
    """The error says what an administrator can do."""
    for path in private._candidates(tmp_path):
        path.touch()
    with pytest.raises(ServerError, match="not a private folder of this user") as caught:
        folders.own(tmp_path)
    assert "rm -r" in caught.value.do


LEASE = """
import sys
from pathlib import Path
from pytest_crucible.server import lease
held = lease("embedded", root=Path(sys.argv[1]), cache=Path(sys.argv[2]))
import psycopg
with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
    connection.execute("CREATE DATABASE kept")
held.keep_image()
print(*held.notes, sep="\\n")
"""


def lease_in_process(root, cache, *command):
    """Take a lease in a process that ends at once; what it says of the cache."""
    words = [*(command or [sys.executable]), "-c", LEASE, str(root), str(cache)]
    path = os.pathsep.join([str(Path(pytest_crucible.__file__).parents[1]), str(Path(psycopg.__file__).parents[1])])
    environment = {**os.environ, "HOME": str(root), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd="/")


@needs_root
@pytest.mark.slow
def test_a_full_disk(root, tmp_path):
    """The run goes on without the cache and says so; what could not be saved is said by the next."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no mounts here")
    try:
        first = lease_in_process(root, small)
        assert f"the cache {small}/{ME}/images is not used: No space left on device" in first.stdout, first.stderr
        time.sleep(3)
        second = lease_in_process(root, small)
        assert "the templates of the last run could not be kept" in second.stdout, second.stderr
        assert "No space left on device" in second.stdout
        time.sleep(3)
        assert [path for path in small.rglob("*") if path.is_file()] == []
    finally:
        subprocess.run(["umount", "-l", small], check=True)
        shutil.rmtree(folders.spare_folder().parents[1], ignore_errors=True)


@pytest.fixture
def victim():
    """Return the command of an interpreter that runs as another user."""
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    asking = "import subprocess, sys; subprocess.run([sys.executable, '-V'], check=True, stdout=subprocess.DEVNULL)"
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        if not subprocess.run([*become, python, "-c", asking], check=False, capture_output=True, cwd="/").returncode:
            return [*become, python]
    pytest.skip("no Python of this version that another user may run")


@needs_root
@pytest.mark.slow
def test_another_users_image_never_runs(victim):
    """A victim who shares a cache with an attacker is told so, and starts nothing."""
    place = Path(tempfile.mkdtemp(dir=folders.short()))
    place.chmod(0o1777)
    root = place / "project"
    root.mkdir()
    os.chown(root, NOBODY, NOBODY)
    attacked = place / "cache" / str(NOBODY) / "images"
    attacked.mkdir(parents=True)
    (place / "cache").chmod(0o1777)
    try:
        done = lease_in_process(root, place / "cache", *victim)
        assert "belongs to root" in done.stderr
        assert done.returncode == 1
        shutil.rmtree(attacked.parent)
        done = lease_in_process(root, place / "cache", *victim)
        assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
        time.sleep(3)
        assert attacked.stat().st_uid == NOBODY
        assert len(list(attacked.glob("*.image"))) == 2
    finally:
        shutil.rmtree(place)
