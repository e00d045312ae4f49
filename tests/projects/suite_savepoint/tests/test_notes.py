import pytest
from sqlalchemy import select

from notes.db import Note


async def test_what_is_flushed_is_seen(client, notebook):
    assert (await client.get("/notebooks/work")).json() == []
    assert (await client.post("/notebooks/work/notes/todo")).status_code == 201


async def test_add(client, notebook, session):
    key = (await client.post("/notebooks/work/notes/todo")).json()
    assert (await session.get(Note, key)).notebook_id == notebook.id


async def test_add_to_unknown(client):
    assert (await client.post("/notebooks/none/notes/todo")).status_code == 404


async def test_titles_are_sorted(client, notebook, session):
    session.add_all([Note(notebook_id=notebook.id, title=title) for title in "cab"])
    await session.flush()
    assert (await client.get("/notebooks/work")).json() == ["a", "b", "c"]


@pytest.mark.parametrize("title", ["todo", "done"])
async def test_titles_are_unique(client, notebook, session, title):
    await session.commit()
    assert (await client.post(f"/notebooks/work/notes/{title}")).status_code == 201
    assert (await client.post(f"/notebooks/work/notes/{title}")).status_code == 409
    assert list(await session.scalars(select(Note.title))) == [title]
