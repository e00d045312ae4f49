"""A task that goes on writing beside a race, as a worker of the lifespan does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from models import Account, Session, Tag
from sqlalchemy import update

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Worker:
    """A worker that writes two rows in each transaction.

    Attributes:
        errors: The errors that it met.
        done: The number of its transactions.
    """

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.done = 0

    async def run(self) -> None:
        while True:
            try:
                async with Session() as session:
                    for name in ("tea", "milk"):
                        session.add(Tag(name=name))
                        await session.flush()
                    await session.commit()
                    self.done += 1
            except Exception as error:
                self.errors.append(error)
            await asyncio.sleep(0.001)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    task = asyncio.create_task(worker.run())
    yield worker
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_goes_on(race, worker, db_session):
    db_session.add(Account(id=1, balance=100))
    await db_session.commit()

    async def write():
        async with Session() as session:
            await session.execute(update(Account).values(balance=Account.balance + 1))
            await session.commit()

    await race(write, write, write, reduce=False)
    done = worker.done
    await asyncio.sleep(0.1)
    assert worker.done > done
    assert worker.errors == []
