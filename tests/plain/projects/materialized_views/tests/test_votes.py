import pytest
from app import run


@pytest.fixture(autouse=True)
def refreshed_at_the_end(clean):
    yield
    run("DELETE FROM votes", "REFRESH MATERIALIZED VIEW standings")


@pytest.mark.parametrize("how", ["", "CONCURRENTLY"])
@pytest.mark.parametrize("n", range(2))
def test_refresh(n, how):
    run("INSERT INTO votes (party) VALUES ('a'), ('a'), ('b')")
    assert run("SELECT * FROM standings") == []
    run(f"REFRESH MATERIALIZED VIEW {how} standings")
    assert run("SELECT * FROM standings ORDER BY 1") == [("a", 2), ("b", 1)]


def test_view():
    run("INSERT INTO votes (party) VALUES ('a')")
    assert run("SELECT * FROM now") == [("a", 1)]


def test_empty():
    assert run("SELECT * FROM standings") == run("SELECT * FROM now") == []
