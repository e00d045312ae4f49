from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from tickets.tables import Event, Ticket

engine = create_async_engine("postgresql+psycopg://tickets:secret@db.tickets.invalid/tickets")
make_session = async_sessionmaker(engine, expire_on_commit=False)


async def session() -> AsyncIterator[AsyncSession]:
    async with make_session() as new:
        yield new


Db = Annotated[AsyncSession, Depends(session)]
api = FastAPI()


@api.post("/events/{event_id}/seats/{seat}", status_code=201)
async def sell(event_id: int, seat: str, db: Db) -> int:
    if await db.get(Event, event_id) is None:
        raise HTTPException(404)
    ticket = Ticket(event_id=event_id, seat=seat)
    db.add(ticket)
    try:
        await db.commit()
    except IntegrityError:
        raise HTTPException(409) from None
    return ticket.id
