import pytest
from app import Base, Session, Shop, engine
from sqlalchemy import text


@pytest.fixture(scope="session", autouse=True)
async def tables():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


@pytest.fixture(autouse=True)
async def truncate(tables):
    yield
    async with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            await connection.execute(text(f"TRUNCATE {table.name} RESTART IDENTITY CASCADE"))


@pytest.fixture
async def shop():
    async with Session() as session:
        shop = Shop(name="corner")
        session.add(shop)
        await session.commit()
        return shop
