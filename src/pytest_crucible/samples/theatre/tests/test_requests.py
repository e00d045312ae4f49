"""Requests at once: each has a connection and a transaction of its own, as in production."""

import asyncio
from collections import Counter

from app.models import Booking, Show
from sqlalchemy import func, select


async def test_twenty_requests_for_five_seats(async_client, db_session, show):
    url = f"/shows/{show.id}/bookings"
    requests = [async_client.post(url, json={"name": f"guest {number}"}) for number in range(20)]
    responses = await asyncio.gather(*requests)
    assert Counter(response.status_code for response in responses) == {201: 5, 409: 15}
    assert await db_session.scalar(select(func.count()).select_from(Booking)) == 5


async def test_the_next_test_begins_with_an_empty_database(db_session):
    assert await db_session.scalar(select(func.count()).select_from(Show)) == 0
