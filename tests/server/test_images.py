"""Cluster images: whole or not there, noticed when damaged, bounded."""

import os
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_crucible.server.supervisor import images

from .conftest import gone_after, supervisor_of

NAMES = st.text("abc é\n", min_size=1, max_size=4).filter(lambda name: name.strip() and "\n" not in name)
TREES = st.recursive(st.binary(max_size=64), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


def write(tree, path):
    path.mkdir()
    for name, content in tree.items():
        if isinstance(content, bytes):
            (path / name).write_bytes(content)
        else:
            write(content, path / name)


def read(path):
    return {one.name: read(one) if one.is_dir() else one.read_bytes() for one in path.iterdir()}


@given(st.dictionaries(NAMES, TREES, max_size=4))
@settings(max_examples=50, deadline=None)
def test_what_is_packed_is_unpacked(tmp_path_factory, tree):
    """An image gives back the folder that it was made of."""
    tmp = tmp_path_factory.mktemp("image")
    write(tree, tmp / "source")
    images.pack(str(tmp / "source"), str(tmp / "image"))
    images.unpack(str(tmp / "image"), str(tmp / "target"))
    assert read(tmp / "target") == tree


def test_files_of_any_length_are_packed_whole(tmp_path):
    """A file that is longer than what is read at once comes back whole, and so do those after it."""
    tree = {"1": os.urandom(2 * images.CHUNK + 5), "2": os.urandom(images.CHUNK), "3": b"last"}
    write(tree, tmp_path / "source")
    images.pack(str(tmp_path / "source"), str(tmp_path / "image"))
    images.unpack(str(tmp_path / "image"), str(tmp_path / "target"))
    assert read(tmp_path / "target") == tree


def test_what_postgresql_makes_itself_is_left_out(tmp_path):
    """Files of a running server and its scratch folders are not saved; the folders are."""
    tree = {"postmaster.pid": b"1", "PG_VERSION": b"18", "pg_notify": {"0000": b"x"}, "base": {}}
    write(tree, tmp_path / "source")
    images.pack(str(tmp_path / "source"), str(tmp_path / "image"))
    images.unpack(str(tmp_path / "image"), str(tmp_path / "target"))
    assert read(tmp_path / "target") == {"PG_VERSION": b"18", "pg_notify": {}, "base": {}}


@pytest.fixture
def image(tmp_path):
    write({"PG_VERSION": b"18\n", "base": {"1": os.urandom(5000)}}, tmp_path / "source")
    images.pack(str(tmp_path / "source"), str(tmp_path / "image"))
    return tmp_path / "image"


@pytest.mark.parametrize("place", [0.3, 0.97])
def test_a_changed_byte_is_noticed(image, tmp_path, place):
    """A byte that changed, in a file's content or in the table of contents, makes an image bad."""
    content = bytearray(image.read_bytes())
    content[int(len(content) * place)] ^= 1
    image.write_bytes(content)
    with pytest.raises(images.BadImage):
        images.unpack(str(image), str(tmp_path / "target"))


@pytest.mark.parametrize("length", [0, 10, 3000, -1])
def test_a_half_written_image_is_noticed(image, tmp_path, length):
    """An image that was cut short is bad, wherever it ends."""
    image.write_bytes(image.read_bytes()[:length])
    with pytest.raises(images.BadImage):
        images.unpack(str(image), str(tmp_path / "target"))


def test_an_interrupted_save_leaves_the_old_image(image, tmp_path):
    """A save that fails leaves the image as it was, and no rest."""
    before = image.read_bytes()
    (tmp_path / "source" / "gone").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        images.pack(str(tmp_path / "source"), str(image))
    assert image.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("image")] == ["image"]


def test_the_cache_is_bounded(tmp_path):
    """Images that were not used for longest are removed, never the one just saved."""
    for age, name in enumerate(["new", "used", "old"]):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    images.prune(str(tmp_path), keep=str(tmp_path / "old"), limit=200)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "old"}


def connect(held):
    return psycopg.connect(**held.admin.libpq(), autocommit=True)


def fill(held):
    with connect(held) as connection:
        connection.execute("CREATE UNLOGGED TABLE kept AS SELECT generate_series(1, 1000) AS n")


def kept(held):
    with connect(held) as connection:
        if connection.execute("SELECT to_regclass('kept')").fetchone() == (None,):
            return None
        return connection.execute("SELECT count(*) FROM kept").fetchone()[0]


def end(held):
    held.release()
    gone_after(Path(held.nest))


@pytest.fixture
def saved(take):
    """Return a project whose server was kept as an image; the image's path."""
    held = take()
    fill(held)
    held.keep_image()
    end(held)
    return held._share.where.image


def test_what_must_outlive_the_server_does(saved, take):
    """After keep_image the next server has what this one had, unlogged tables included."""
    assert saved.exists()
    assert kept(take()) == 1000


def test_nothing_is_kept_unasked(take):
    """Without keep_image the next server is a fresh one."""
    held = take()
    fill(held)
    end(held)
    assert kept(take()) is None


def test_an_image_survives_runs_that_keep_nothing(saved, take):
    """A run that only used what was saved leaves it as it was."""
    held = take()
    with connect(held) as connection:
        connection.execute("DELETE FROM kept")
    end(held)
    assert kept(take()) == 1000


def test_whoever_keeps_may_be_killed(client, take):
    """The image is saved when the last user ends, also if it is killed."""
    one = client("keep")
    nest = one.wait_ready()
    held = take()
    fill(held)
    held.release()
    one.bury()
    gone_after(nest)
    assert kept(take()) == 1000


def test_whoever_comes_meanwhile_waits_for_the_image(take):
    """A lease that is taken while the image is being saved starts from it."""
    held = take()
    fill(held)
    held.keep_image()
    held.release()
    assert kept(take()) == 1000


def test_the_supervisor_asked_to_end_saves_first(take):
    """A clean end saves the image, whichever process asks for it."""
    held = take()
    fill(held)
    held.keep_image()
    supervisor_of(Path(held.nest)).terminate()
    gone_after(Path(held.nest))
    held.release()
    assert kept(take()) == 1000


def damage_content(image):
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 255
    image.write_bytes(content)


def truncate(image):
    os.truncate(image, image.stat().st_size // 2)


def spoil(image):
    """Make a whole image of a data directory that PostgreSQL refuses."""
    with tempfile.TemporaryDirectory() as folder:
        images.unpack(str(image), f"{folder}/data")
        Path(folder, "data", "global", "pg_control").write_bytes(bytes(8192))
        images.pack(f"{folder}/data", str(image))


@pytest.mark.parametrize("hurt", [damage_content, truncate, spoil])
def test_a_damaged_image_is_put_aside(saved, take, hurt):
    """An image that is damaged, or that PostgreSQL cannot start from, is put aside, and the server starts afresh."""
    hurt(saved)
    assert kept(take()) is None
    assert saved.with_suffix(".damaged").exists()
    assert not saved.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "hurt", [damage_content, *(pytest.param(each, marks=pytest.mark.slow) for each in (truncate, spoil))]
)
def test_a_damaged_pristine_cluster_is_made_again(take, hurt, cache):
    """A damaged result of initdb is noticed, and initdb runs again."""
    end(take())
    (pristine,) = cache.rglob("initdb-*.image")
    hurt(pristine)
    assert kept(take()) is None
    assert pristine.exists()


def test_a_used_image_counts_as_new(saved, take):
    """Using an image makes it the last to be removed."""
    os.utime(saved, (1, 1))
    take()
    assert saved.stat().st_mtime > time.time() - 60
