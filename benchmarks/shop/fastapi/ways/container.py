"""The recipe as repaired, in a container for the run of each worker."""

import json
import os
from pathlib import Path

import pytest
from clients import client
from databases import outer_transaction, own_engine
from testcontainers.postgres import PostgresContainer

SPEED = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off -c jit=off"


@pytest.fixture(scope="session")
def postgres_container():
    with PostgresContainer(os.environ["PEERS_IMAGE"], driver="asyncpg").with_command(f"postgres {SPEED}") as container:
        yield container.get_connection_url()
        wrapped = container.get_wrapped_container()
        figures = wrapped.client.api.stats(wrapped.id, stream=False, one_shot=True)
        used = {
            "processor": figures["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
            "memory": max(figures["memory_stats"].get(name, 0) for name in ("usage", "max_usage")),
        }
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        Path(os.environ["PEERS_NOTES"], f"container-{worker}").write_text(json.dumps(used))


@pytest.fixture(scope="session")
async def async_engine(postgres_container):
    engine = await own_engine(postgres_container)
    yield engine
    await engine.dispose()


@pytest.fixture
async def db_session(async_engine):
    async with outer_transaction(async_engine) as session:
        yield session


@pytest.fixture
async def async_client(db_session):
    async with client(lambda: db_session) as found:
        yield found
