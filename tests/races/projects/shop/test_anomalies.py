"""Each anomaly is found, and its repaired twin passes in every order."""

from __future__ import annotations

from functools import partial

import pytest
import services
from models import (
    Account,
    Booking,
    Counter,
    Doctor,
    ExclusiveBooking,
    Job,
    Lease,
    Member,
    Payment,
    Session,
    Tag,
    Versioned,
)
from sqlalchemy import func, select

from pytest_crucible import RaceError


async def add_rows(session):
    session.add_all([Account(id=1, balance=100), Account(id=2, balance=100), Versioned(id=1, balance=100)])
    session.add_all([Doctor(name="ada", on_call=True), Doctor(name="bob", on_call=True)])
    session.add_all([Job(id=1), Job(id=2), Lease(id=1)])
    session.add_all([Counter(name="counted", entries=0), Counter(name="added", entries=0)])
    await session.flush()
    session.add_all([Member(id=1, account_id=1), Member(id=2, account_id=1)])
    await session.commit()


@pytest.fixture(autouse=True)
async def rows(db_session):
    await add_rows(db_session)


def value_is(query, *expected):
    async def check():
        async with Session() as session:
            found = await session.scalar(query)
        assert found in expected

    return check


def balance_is(*expected, of=Account):
    return value_is(select(of.balance).where(of.id == 1), *expected)


def count_is(kind, expected):
    return value_is(select(func.count()).select_from(kind), expected)


def differ(outcomes):
    taken = [outcome for outcome in outcomes if outcome is not None]
    assert len(set(taken)) == len(taken)


def one_of_them(outcomes):
    return len([outcome for outcome in outcomes if outcome]) == 1


async def one_on_call():
    async with Session() as session:
        assert await session.scalar(select(func.count()).where(Doctor.on_call)) >= 1


def agrees(counter):
    async def check():
        entries, counted = await services.counted(counter)
        assert entries == counted

    return check


def both(function, **keywords):
    return [partial(function, "ada", **keywords), partial(function, "bob", **keywords)]


ANOMALIES = {
    "lost update": (
        ([services.withdraw_by_value] * 2, balance_is(40)),
        ([services.withdraw_by_difference] * 2, balance_is(40)),
    ),
    "read, modify, write through the ORM": (
        ([services.deposit_through_orm] * 2, balance_is(120)),
        ([services.deposit_with_version] * 2, balance_is(120, of=Versioned)),
    ),
    "write skew": (
        (both(services.leave_call_repeatable), one_on_call),
        (both(services.leave_call_with_retry), one_on_call),
    ),
    "get or create": (
        ([services.get_or_insert_tag] * 2, count_is(Tag, 1)),
        ([services.upsert_tag] * 2, None),
    ),
    "a job taken twice": (
        (both(services.take_job), differ),
        (both(services.take_job, skip_locked=True), differ),
    ),
    "double booking": (
        ([partial(services.book, Booking)] * 2, one_of_them),
        ([partial(services.book, ExclusiveBooking)] * 2, one_of_them),
    ),
    "order of locks": (
        ([partial(services.transfer, 1, 2, sort=False), partial(services.transfer, 2, 1, sort=False)], None),
        ([partial(services.transfer, 1, 2, sort=True), partial(services.transfer, 2, 1, sort=True)], balance_is(100)),
    ),
    "idempotency key": (
        ([services.pay_after_check] * 2, count_is(Payment, 1)),
        ([services.pay_after_insert] * 2, count_is(Payment, 1)),
    ),
    "limit": (
        ([partial(services.join, lock=False)] * 2, count_is(Tag, 1)),
        ([partial(services.join, lock=True)] * 2, count_is(Tag, 1)),
    ),
    "the wrong row locked": (
        ([partial(services.spend, 1, lock=False), partial(services.spend, 2, lock=False)], balance_is(40)),
        ([partial(services.spend, 1, lock=True), partial(services.spend, 2, lock=True)], balance_is(40)),
    ),
    "a counter of a trigger": (
        ([partial(services.enter, "counted")] * 2, agrees("counted")),
        ([partial(services.enter, "added")] * 2, agrees("added")),
    ),
    "a check against now()": (
        (both(services.take_lease, check=True), one_of_them),
        (both(services.take_lease, check=False), one_of_them),
    ),
    "serializable without retry": (
        (both(services.leave_call_serializable), one_on_call),
        (both(services.leave_call_with_retry), one_on_call),
    ),
}


@pytest.mark.parametrize("name", ANOMALIES)
async def test_found(name, race):
    actors, invariant = ANOMALIES[name][0]
    with pytest.raises(RaceError) as caught:
        await race(*actors, invariant=invariant)
    print(name, "found", caught.value.found.splitlines()[0])


@pytest.mark.parametrize("name", ANOMALIES)
async def test_repaired(name, race):
    actors, invariant = ANOMALIES[name][1]
    result = await race(*actors, invariant=invariant)
    print(name, "repaired", result)
    assert result.is_exhaustive
    assert not result.is_timed


async def test_unique_violation(race, async_client):
    with pytest.raises(RaceError, match="IntegrityError"):
        await race(*[lambda: async_client.post("/tags", params={"name": "tea"})] * 2)
    result = await race(*[lambda: async_client.post("/careful/tags", params={"name": "tea"})] * 2)
    assert set(result.outcomes) == {("200", "409"), ("409", "200")}
    assert result.is_exhaustive
