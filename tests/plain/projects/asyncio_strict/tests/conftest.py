import pytest
import pytest_asyncio
from app import Base, Session, engine


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def tables():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)


@pytest_asyncio.fixture
async def session():
    async with Session() as session:
        yield session
        await session.rollback()
        for table in reversed(Base.metadata.sorted_tables):
            await session.execute(table.delete())
        await session.commit()


@pytest.fixture
def name():
    return "wren"
