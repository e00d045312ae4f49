import pytest
from app import run


@pytest.mark.parametrize("n", range(2))
def test_routed(n):
    run("INSERT INTO measures VALUES (1990, 1), (2010, 2)")
    assert run("SELECT value FROM measures_old") == [(1,)]
    assert run("SELECT value FROM measures_rest") == [(2,)]


@pytest.mark.parametrize("n", range(2))
def test_moved(n):
    run("INSERT INTO measures VALUES (1990, 1)", "UPDATE measures SET year = 2005")
    assert run("SELECT tableoid::regclass::text FROM measures") == [("measures_rest",)]


def test_of_a_partition():
    run("INSERT INTO measures_old VALUES (1980, 8)")
    assert run("SELECT * FROM measures") == [(1980, 8)]


def test_new_partition():
    run("CREATE TABLE measures_future PARTITION OF measures FOR VALUES FROM (3000) TO (4000)")
    run("INSERT INTO measures VALUES (3001, 3)")
    assert run("SELECT value FROM measures_future") == [(3,)]
    run("DROP TABLE measures_future")


@pytest.mark.parametrize("n", range(2))
def test_inherited(n):
    run("INSERT INTO cities VALUES ('Lyon')", "INSERT INTO capitals VALUES ('Paris', 'France')")
    assert run("SELECT name FROM cities ORDER BY 1") == [("Lyon",), ("Paris",)]
    assert run("SELECT name FROM ONLY cities") == [("Lyon",)]


def test_empty():
    assert run("SELECT * FROM measures") == run("SELECT name FROM cities") == []
