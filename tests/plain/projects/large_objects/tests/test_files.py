import pytest
from app import run


@pytest.fixture(autouse=True)
def unlinked(clean):
    yield
    run("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")


@pytest.mark.parametrize("n", range(3))
def test_write(n):
    run("INSERT INTO files VALUES ('a', lo_from_bytea(0, 'hello'))")
    assert run("SELECT convert_from(lo_get(content), 'UTF8') FROM files") == ["hello"]
    assert run("SELECT count(*) FROM pg_largeobject_metadata") == [1]


def test_empty():
    assert run("SELECT count(*) FROM pg_largeobject_metadata") == [0]
