import pytest
from app import Base, Invoice, as_tenant, engine
from sqlalchemy import delete


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)


@pytest.fixture(scope="module", autouse=True)
def seeded(tables):
    with as_tenant("first") as session:
        session.add(Invoice(id=1000, amount=5))
        session.commit()
    yield
    with as_tenant("first") as session:
        session.execute(delete(Invoice))
        session.commit()


@pytest.fixture(autouse=True)
def clean(seeded):
    yield
    for tenant in ("first", "second"):
        with as_tenant(tenant) as session:
            session.execute(delete(Invoice).where(Invoice.id < 1000))
            session.commit()
