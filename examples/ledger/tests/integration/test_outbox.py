import asyncio
import json

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger import outbox
from ledger.database import engine
from ledger.models import OutboxMessage
from ledger.relay import Relay
from ledger.stream import Hub
from tests.fixtures.listening import Listen
from tests.fixtures.people import Pay, Person

SECONDS = 5.0


async def leave_message(session: AsyncSession, transfer_id: int) -> None:
    """Leave a transfer's message in the outbox, without the transfer."""
    session.add(OutboxMessage(topic="transfer.made", payload={"transfer": {"id": transfer_id}, "users": []}))
    await session.flush()
    await session.execute(select(func.pg_notify(outbox.OUTBOX, str(transfer_id))))


async def test_notification_arrives_at_commit(listen: Listen, db_session: AsyncSession):
    """PostgreSQL delivers a notification when its transaction commits, and not before."""
    async with listen(outbox.OUTBOX) as heard:
        await leave_message(db_session, 1)
        assert heard.empty()
        await db_session.commit()
        assert await asyncio.wait_for(heard.get(), SECONDS) == "1"


async def test_rollback_notifies_nobody(listen: Listen, db_session: AsyncSession):
    """A rolled-back message is never told: the first notification is the second transaction's."""
    async with listen(outbox.OUTBOX) as heard:
        await leave_message(db_session, 1)
        await db_session.rollback()
        await leave_message(db_session, 2)
        await db_session.commit()
        assert await asyncio.wait_for(heard.get(), SECONDS) == "2"


async def test_running_application_relays(listen: Listen, pay: Pay, alice: Person, bob: Person):
    """The lifespan's task picks the message up and tells every process of the service."""
    async with listen(outbox.EVENTS) as heard:
        await pay(alice, bob, 5_00)
        event = json.loads(await asyncio.wait_for(heard.get(), SECONDS))
    assert event["transfer"]["amount"] == 5_00
    assert event["users"] == [alice.user_id, bob.user_id]


async def test_relays_share_the_work(listen: Listen, db_session: AsyncSession):
    """Relays pass over what another one has locked: each message is told once, however many relays there are."""
    async with listen(outbox.EVENTS) as heard:
        for number in range(20):
            await leave_message(db_session, number)
        await db_session.commit()
        await asyncio.gather(*(Relay(engine, Hub()).drain() for _ in range(4)))
        told = [json.loads(await asyncio.wait_for(heard.get(), SECONDS)) for _ in range(20)]
        await notify_end(db_session)
        assert await asyncio.wait_for(heard.get(), SECONDS) == "end"
    assert sorted(event["transfer"]["id"] for event in told) == list(range(20))


async def notify_end(session: AsyncSession) -> None:
    """Notifications arrive in the order of commits: after this one, none of the others is still to come."""
    await session.execute(select(func.pg_notify(outbox.EVENTS, "end")))
    await session.commit()
