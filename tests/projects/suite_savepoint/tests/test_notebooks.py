from sqlalchemy import func, select

from notes.db import Notebook


async def count(session):
    return await session.scalar(select(func.count()).select_from(Notebook))


async def test_create(client, session):
    response = await client.post("/notebooks/work")
    assert response.status_code == 201
    assert (await session.get(Notebook, response.json())).name == "work"


async def test_nothing_is_left_of_the_test_before(session):
    assert await count(session) == 0


async def test_names_are_unique(client, session):
    assert (await client.post("/notebooks/work")).status_code == 201
    assert (await client.post("/notebooks/work")).status_code == 409
    assert await count(session) == 1


async def test_a_refusal_keeps_what_was_committed(client, notebook, session):
    await session.commit()
    assert (await client.post("/notebooks/work")).status_code == 409
    assert await count(session) == 1


async def test_work_goes_on_after_a_refusal(client, session):
    for name in ("a", "a", "b"):
        await client.post(f"/notebooks/{name}")
    assert list(await session.scalars(select(Notebook.name).order_by(Notebook.id))) == ["a", "b"]
