import pytest
from app import Base, Country, Session, Trip, engine
from sqlalchemy import delete, select


@pytest.fixture(scope="session", autouse=True)
async def db():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with Session() as session:
        session.add_all([Country(code="fr", name="France"), Country(code="es", name="Spain")])
        await session.commit()
        yield session
        await session.execute(delete(Country))
        await session.commit()
    await engine.dispose()


@pytest.fixture(scope="session")
async def countries(db):
    return (await db.scalars(select(Country).order_by(Country.code))).all()


@pytest.fixture(autouse=True)
async def clean(db):
    yield
    async with engine.begin() as connection:
        await connection.execute(delete(Trip))
