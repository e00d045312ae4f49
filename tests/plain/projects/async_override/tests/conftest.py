import httpx
import pytest
from app import Base, Note, Session, app, engine, get_db
from sqlalchemy import delete


@pytest.fixture(scope="session", autouse=True)
async def tables():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


@pytest.fixture(scope="module")
async def db():
    async with Session() as session:
        yield session


@pytest.fixture(scope="module")
async def client(db):
    app.dependency_overrides[get_db] = lambda: db
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client
    app.dependency_overrides.clear()


@pytest.fixture(autouse=True)
async def clean(db):
    yield
    await db.rollback()
    await db.execute(delete(Note))
    await db.commit()
