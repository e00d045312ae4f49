"""A test that fails on purpose: its database is kept, with the rows that it had at its end."""

from app.models import Show


async def test_a_booking_takes_two_seats(async_client, db_session, show):
    await async_client.post(f"/shows/{show.id}/bookings", json={"name": "Ada"})
    await db_session.refresh(show, ["free_seats"])
    assert show.free_seats == 3
