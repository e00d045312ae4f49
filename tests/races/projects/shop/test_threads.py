"""Plain functions race in threads, with synchronous sessions."""

from __future__ import annotations

import os

import pytest
from models import Account, Job
from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from pytest_crucible import RaceError

engine = create_engine(f"postgresql+{os.environ.get('SYNC_DRIVER', 'psycopg')}://app@db.production.invalid/app")


@pytest.fixture(autouse=True)
def rows(sync_session):
    sync_session.add_all([Account(id=1, balance=100), Account(id=2, balance=100), Job(id=1), Job(id=2)])
    sync_session.commit()


def deposit(*, lock):
    with Session(engine) as session:
        account = session.get(Account, 1, with_for_update=lock)
        account.balance += 10
        session.commit()


def touch(*numbers):
    with Session(engine) as session:
        for number in numbers:
            session.get(Account, number, with_for_update=True)
        session.commit()


def take():
    with Session(engine) as session:
        job = session.scalar(select(Job).where(Job.worker.is_(None)).with_for_update(skip_locked=True).limit(1))
        job.worker = "x"
        session.commit()
        return job.id


def balance_is_120():
    with Session(engine) as session:
        return session.get(Account, 1).balance == 120


def test_lost_update(race):
    with pytest.raises(RaceError, match="returned False"):
        race.run(lambda: deposit(lock=False), lambda: deposit(lock=False), invariant=balance_is_120)
    assert race.run(lambda: deposit(lock=True), lambda: deposit(lock=True), invariant=balance_is_120).is_exhaustive


def test_order_of_locks(race):
    with pytest.raises(RaceError, match="deadlock"):
        race.run(lambda: touch(1, 2), lambda: touch(2, 1))
    result = race.run(lambda: touch(1, 2), lambda: touch(2, 1), allowed=OperationalError)
    assert result.is_exhaustive
    assert {"DeadlockDetected" in "".join(texts) for texts in result.outcomes} == {True, False}


def test_two_jobs(race):
    result = race.run(take, take, reduce=False)
    assert result.is_exhaustive
    assert set(result.outcomes) == {("1", "2"), ("2", "1")}


async def test_threads_beside_coroutines(race):
    async def wait():
        pass

    result = await race(lambda: deposit(lock=True), lambda: deposit(lock=True), wait, invariant=balance_is_120)
    assert result.is_exhaustive


async def test_a_session_on_the_thread_of_the_loop(race):
    async def blocks():
        deposit(lock=True)

    with pytest.raises(Exception, match="synchronously on the thread of the event loop") as caught:
        await race(blocks, blocks)
    assert "plain function" in caught.value.do
