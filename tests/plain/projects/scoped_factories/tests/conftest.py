import pytest
from app import Base, Session, engine


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)
    yield
    Session.remove()
    Base.metadata.drop_all(engine)


@pytest.fixture(autouse=True)
def clean():
    yield
    Session.rollback()
    for table in reversed(Base.metadata.sorted_tables):
        Session.execute(table.delete())
    Session.commit()
