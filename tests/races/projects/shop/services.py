"""Services that go wrong when two requests meet, each beside its repaired twin."""

from __future__ import annotations

from datetime import timedelta

from models import (
    Account,
    Booking,
    Counter,
    Doctor,
    Entry,
    ExclusiveBooking,
    Job,
    Key,
    Lease,
    Member,
    Payment,
    RepeatableRead,
    Serializable,
    Session,
    Tag,
    UniqueTag,
    Versioned,
)
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm.exc import StaleDataError


async def withdraw_by_value():
    async with Session() as session:
        balance = await session.scalar(select(Account.balance).where(Account.id == 1))
        if balance >= 30:
            await session.execute(update(Account).where(Account.id == 1).values(balance=balance - 30))
            await session.commit()


async def withdraw_by_difference():
    async with Session() as session:
        where = (Account.id == 1) & (Account.balance >= 30)
        await session.execute(update(Account).where(where).values(balance=Account.balance - 30))
        await session.commit()


async def deposit_through_orm():
    async with Session() as session:
        account = await session.get(Account, 1)
        account.balance += 10
        await session.commit()


async def deposit_with_version():
    for _ in range(3):
        async with Session() as session:
            account = await session.get(Versioned, 1)
            account.balance += 10
            try:
                await session.commit()
            except StaleDataError:
                continue
            return


async def leave_call(name, sessions):
    async with sessions() as session:
        if await session.scalar(select(func.count()).where(Doctor.on_call)) >= 2:
            await session.execute(update(Doctor).where(Doctor.name == name).values(on_call=False))
        await session.commit()


async def retried(function, *arguments):
    for _ in range(5):
        try:
            return await function(*arguments)
        except DBAPIError as error:
            if "could not serialize" not in str(error):
                raise
    raise AssertionError("too many serialization failures")


async def get_or_insert_tag():
    async with Session() as session:
        if await session.scalar(select(Tag).where(Tag.name == "tea")) is None:
            session.add(Tag(name="tea"))
            await session.commit()


async def upsert_tag():
    async with Session() as session:
        await session.execute(insert(UniqueTag).values(name="tea").on_conflict_do_nothing())
        await session.commit()


async def take_job(worker, **locked):
    async with Session() as session:
        query = select(Job).where(Job.worker.is_(None)).order_by(Job.id).limit(1)
        job = await session.scalar(query.with_for_update(**locked) if locked else query)
        if job is None:
            return None
        job.worker = worker
        await session.commit()
        return job.id


async def book(kind):
    hours = Range(9, 11)
    async with Session() as session:
        if await session.scalar(select(func.count()).where(kind.hours.op("&&")(hours))) == 0:
            session.add(kind(hours=hours))
            try:
                await session.commit()
            except IntegrityError:
                return False
            return True
        return False


async def transfer(source, target, *, sort):
    async with Session() as session:
        changes = {source: -10, target: 10}
        for number in sorted(changes) if sort else changes:
            change = Account.balance + changes[number]
            await session.execute(update(Account).where(Account.id == number).values(balance=change))
        await session.commit()


async def pay_after_check():
    async with Session() as session:
        if await session.scalar(select(func.count()).where(Payment.key == "k")) == 0:
            session.add(Payment(key="k"))
            await session.commit()


async def pay_after_insert():
    async with Session() as session:
        inserted = await session.scalar(insert(Key).values(key="k").on_conflict_do_nothing().returning(Key.key))
        if inserted is not None:
            session.add(Payment(key="k"))
        await session.commit()


async def join(*, lock):
    async with Session() as session:
        if lock:
            await session.execute(text("SELECT pg_advisory_xact_lock(1)"))
        if await session.scalar(select(func.count()).select_from(Tag)) < 1:
            session.add(Tag(name="member"))
        await session.commit()


async def spend(member, *, lock):
    async with Session() as session:
        await session.execute(select(Member).where(Member.id == member).with_for_update())
        account = await session.get(Account, 1, with_for_update=lock)
        if account.balance >= 30:
            account.balance -= 30
        await session.commit()


async def enter(counter):
    async with Session() as session:
        session.add(Entry(counter=counter))
        await session.commit()


async def take_lease(holder, *, check):
    async with Session() as session:
        if check and await session.scalar(select(Lease.expires < func.now()).where(Lease.id == 1)) is False:
            return None
        where = Lease.id == 1 if check else (Lease.id == 1) & (Lease.expires < func.now())
        later = func.now() + timedelta(hours=1)
        taken = await session.scalar(
            update(Lease).where(where).values(holder=holder, expires=later).returning(Lease.holder)
        )
        await session.commit()
        return taken


async def leave_call_serializable(name):
    await leave_call(name, Serializable)


async def leave_call_with_retry(name):
    await retried(leave_call, name, Serializable)


async def leave_call_repeatable(name):
    await leave_call(name, RepeatableRead)


async def counted(name):
    async with Session() as session:
        entries = await session.scalar(select(func.count()).where(Entry.counter == name))
        return entries, await session.scalar(select(Counter.entries).where(Counter.name == name))


__all__ = ["Booking", "ExclusiveBooking"]
