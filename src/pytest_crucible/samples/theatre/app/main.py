"""The application: it sells seats, and tells the box office of each."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from .database import get_session
from .models import Booking, Show

app = FastAPI()
SessionDependency = Annotated[AsyncSession, Depends(get_session)]


class NewBooking(BaseModel):
    """The body of a request for a seat."""

    name: str


@app.post("/shows/{show_id}/bookings", status_code=201)
async def book(show_id: int, body: NewBooking, session: SessionDependency) -> dict[str, int]:
    """Sell one seat: the lock of the show's row lets one request after the other count the free seats."""
    show = await session.scalar(select(Show).where(Show.id == show_id).with_for_update())
    if show is None:
        raise HTTPException(404)
    if not show.free_seats:
        raise HTTPException(409, "sold out")
    show.free_seats -= 1
    booking = Booking(show_id=show_id, name=body.name)
    session.add(booking)
    await session.flush()
    await session.execute(select(func.pg_notify("bookings", str(booking.id))))
    await session.commit()
    return {"id": booking.id}
