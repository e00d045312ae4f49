import pytest
from app import run


@pytest.mark.parametrize("n", range(3))
def test_bulk(n, bulk):
    assert run("SELECT name FROM items") == ["anvil"]
    assert run("SELECT name FROM audits") == []
    run("INSERT INTO items VALUES (2, 'bell')")
    assert run("SELECT name FROM audits") == ["bell"]


def test_disabled_in_a_test(bulk):
    run("ALTER TABLE items DISABLE TRIGGER audit", "INSERT INTO items VALUES (3, 'x')")
    assert run("SELECT name FROM audits") == []
    run("ALTER TABLE items ENABLE TRIGGER audit")
