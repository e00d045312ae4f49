import pytest
from app import Base, engine, run


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)


@pytest.fixture(autouse=True)
def clean(tables):
    yield
    run(
        "DELETE FROM tickets",
        "DELETE FROM invoices",
        "ALTER SEQUENCE tickets_id_seq RESTART",
        "ALTER TABLE invoices ALTER COLUMN id RESTART",
        "SELECT setval('invoice_numbers', 5, false)",
    )
