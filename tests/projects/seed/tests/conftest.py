import asyncio
import pytest
from sqlalchemy.ext.asyncio import create_async_engine, AsyncSession, async_sessionmaker
from sqlalchemy.pool import NullPool
from httpx import ASGITransport, AsyncClient
from testcontainers.postgres import PostgresContainer

from app.main import app
from app.database import Base, get_db

pytest_plugins = ["tests.fixtures.factories"]

# Event loop (session-scoped for session fixtures)
@pytest.fixture(scope="session")
def event_loop():
    loop = asyncio.get_event_loop_policy().new_event_loop()
    yield loop
    loop.close()

# PostgreSQL container
@pytest.fixture(scope="session")
def postgres_container():
    container = PostgresContainer("postgres:16-alpine")
    container.start()
    yield container
    container.stop()

# Async engine (session-scoped)
@pytest.fixture(scope="session")
async def async_engine(postgres_container):
    url = postgres_container.get_connection_url()
    async_url = url.replace("postgresql://", "postgresql+asyncpg://")
    async_url = async_url.replace("psycopg2", "asyncpg")
    
    engine = create_async_engine(async_url, poolclass=NullPool, echo=False)
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    yield engine
    await engine.dispose()

# Per-test session with transaction rollback
@pytest.fixture(scope="function")
async def db_session(async_engine):
    async with async_engine.connect() as conn:
        async with conn.begin() as trans:
            session = AsyncSession(
                bind=conn,
                expire_on_commit=False,
                join_transaction_mode="create_savepoint"
            )
            yield session
            await session.close()
        await trans.rollback()

# Async test client
@pytest.fixture
async def async_client(db_session):
    def get_db_override():
        yield db_session
    
    app.dependency_overrides[get_db] = get_db_override
    async with AsyncClient(
        transport=ASGITransport(app=app),
        base_url="http://test"
    ) as client:
        yield client
    app.dependency_overrides.clear()

# Factory configuration
@pytest.fixture(autouse=True)
def configure_factories(db_session):
    from tests.fixtures.factories import UserFactory, PostFactory
    UserFactory.__async_session__ = db_session
    PostFactory.__async_session__ = db_session

# Faker seed for reproducibility
@pytest.fixture(scope="session", autouse=True)
def faker_seed():
    return 12345
