import pytest
from app import Base, engine, run


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)


@pytest.fixture(scope="module")
def bulk():
    run(
        "ALTER TABLE items DISABLE TRIGGER USER",
        "INSERT INTO items VALUES (1, 'anvil')",
        "ALTER TABLE items ENABLE TRIGGER USER",
    )
    yield
    run("DELETE FROM items")


@pytest.fixture(autouse=True)
def clean():
    yield
    run("DELETE FROM items WHERE id > 1", "DELETE FROM audits")
