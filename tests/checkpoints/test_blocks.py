"""What a block leaves behind: nothing of what was committed in it, and all of what was committed before."""

from __future__ import annotations

import pytest

from tests.checkpoints.modules import SYNCHRONOUS


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_synchronous(project, head, driver):
    """Rows and sequences are those of the block's begin, whatever the block did, and nothing stays after the test."""
    result = project.run(head.replace("psycopg", driver) + SYNCHRONOUS)
    result.assert_outcomes(passed=11)


ASYNCHRONOUS = """
@pytest.fixture(scope="session")
def async_engine():
    return create_async_engine("postgresql+DRIVER://app@db.production.invalid/app")

async def count(session):
    return await session.scalar(select(func.count()).select_from(User))

async def pid(session):
    return await session.scalar(select(func.pg_backend_pid()))

async def test_an_open_session(crucible, db_session, async_client):
    ada = User(name="ada")
    db_session.add(ada)
    await db_session.commit()
    backend = await pid(db_session)
    assert await count(db_session) == 1
    with crucible.checkpoint() as checkpoint:
        for number in range(3):
            (await async_client.post("/users", params={"name": "grace"})).raise_for_status()
            assert await count(db_session) == 2
            bob = User(name="bob")
            db_session.add(bob)
            await db_session.flush()
            assert (ada.id, bob.id) == (1, 3) and ada in db_session
            ada.name = "changed"
            await db_session.commit() if number else await db_session.flush()
            checkpoint.reset()
            assert await count(db_session) == 1
            assert ada.id == 1 and ada.name == "ada" and bob not in db_session
    assert await count(db_session) == 1
    assert await pid(db_session) == backend
    await db_session.refresh(ada)
    assert ada.name == "ada"

async def test_a_transaction_in_a_block(crucible, db_session, sync_session):
    with crucible.checkpoint() as checkpoint:
        for _ in range(2):
            async with db_session.begin():
                async with db_session.begin_nested():
                    db_session.add(User(name="ada"))
                    await db_session.flush()
                    checkpoint.reset()
                assert await count(db_session) == 0
            sync_session.add(User(name="grace"))
            sync_session.flush()
            checkpoint.reset()
            assert sync_session.scalar(select(func.count()).select_from(User)) == 0

async def test_isolation_level(crucible, db_session):
    await db_session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    assert await count(db_session) == 0
    with crucible.checkpoint():
        add("ada")
        assert await count(db_session) == 1

async def test_is_clean(db_session):
    assert await count(db_session) == 0 and next_id() == 1
"""


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_asynchronous(project, head, driver):
    """A session of the test that is open on the running loop is rolled back, keeps its connection and its objects."""
    result = project.run(head + ASYNCHRONOUS.replace("DRIVER", driver))
    result.assert_outcomes(passed=4)


LOOPS = """
import asyncio
import uvloop

@pytest.fixture(scope="session")
def async_engine():
    return create_async_engine("postgresql+DRIVER://app@db.production.invalid/app")

@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_loop_of_the_test(crucible, db_session, factory):
    async def main():
        ada = User(name="ada")
        db_session.add(ada)
        await db_session.commit()
        with crucible.checkpoint() as checkpoint:
            for _ in range(3):
                async with Session.begin() as session:
                    session.add(User(name="grace"))
                db_session.add(User(name="bob"))
                await db_session.flush()
                checkpoint.reset()
                assert await db_session.scalar(select(func.count()).select_from(User)) == 1
                assert ada.id == 1 and ada in db_session

    loop = factory()
    loop.run_until_complete(main())
    assert loop.run_until_complete(count(db_session)) == 1
    loop.close()

async def count(session):
    return await session.scalar(select(func.count()).select_from(User))

@pytest.mark.asyncio(loop_scope="function")
async def test_a_loop_of_its_own(crucible, db_session):
    with crucible.checkpoint():
        db_session.add(User(name="ada"))
        await db_session.commit()
    assert await count(db_session) == 0

async def test_in_a_thread(crucible, db_session):
    assert await count(db_session) == 0
    def block():
        with crucible.checkpoint():
            add("ada")
    await asyncio.to_thread(block)
    assert names() == []

async def test_in_a_greenlet(crucible, db_session):
    def block(session):
        assert session.scalar(select(func.count()).select_from(User)) == 0
        with crucible.checkpoint():
            add("ada")
            assert session.scalar(select(func.count()).select_from(User)) == 1
        assert session.scalar(select(func.count()).select_from(User)) == 0
    await db_session.run_sync(block)

def test_without_a_loop(crucible, db_session):
    loop = asyncio.new_event_loop()
    with crucible.checkpoint() as checkpoint:
        for _ in range(2):
            loop.run_until_complete(db_session.connection())
            add("ada")
            assert loop.run_until_complete(count(db_session)) == 1
            checkpoint.reset()
    assert loop.run_until_complete(count(db_session)) == 0
    loop.close()
"""


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_event_loops(project, head, driver):
    """An open session gives way whatever its loop does: it waits for this call, runs in another thread, or stands."""
    project.run(head + LOOPS.replace("DRIVER", driver)).assert_outcomes(passed=6)
