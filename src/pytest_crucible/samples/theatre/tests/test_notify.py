"""NOTIFY: PostgreSQL delivers it at a commit, and the commit is a real one."""

import asyncio

import asyncpg


async def test_the_box_office_hears_of_a_booking(async_client, database_url, show):
    heard = asyncio.Queue()
    box_office = await asyncpg.connect(database_url)
    await box_office.add_listener("bookings", lambda *notification: heard.put_nowait(notification[-1]))
    response = await async_client.post(f"/shows/{show.id}/bookings", json={"name": "Ada"})
    assert await asyncio.wait_for(heard.get(), timeout=5) == str(response.json()["id"])
    await box_office.close()
