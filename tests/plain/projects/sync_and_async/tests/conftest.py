import pytest
from app import Base, async_engine, engine


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)


@pytest.fixture(scope="session", autouse=True)
async def disposed(tables):
    yield
    await async_engine.dispose()


@pytest.fixture(autouse=True)
def clean(tables):
    yield
    with engine.begin() as connection:
        connection.execute(Base.metadata.tables["mails"].delete())
