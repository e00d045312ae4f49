import pytest
from app import Note
from sqlalchemy import select


@pytest.mark.parametrize("n", range(3))
async def test_add(n, client, db):
    key = (await client.post("/notes/hello")).json()
    note = await db.get(Note, key)
    assert note.text == "hello"
    assert (await client.get("/count")).json() == 1


async def test_flushed_is_shared(client, db):
    db.add(Note(text="x"))
    await db.flush()
    assert (await client.get("/count")).json() == 1


async def test_reads_only(client, db):
    assert (await client.get("/count")).json() == 0
    assert (await db.scalars(select(Note))).all() == []
