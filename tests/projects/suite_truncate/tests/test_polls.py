import asyncio

import pytest
from sqlalchemy import func, select

from polls.models import Choice, Poll

LUNCH = {"question": "Lunch?", "choices": ["soup", "salad"]}


async def test_create(client, session):
    response = await client.post("/polls", json=LUNCH)
    assert response.status_code == 201
    assert (await session.get(Poll, response.json()["id"])).question == "Lunch?"


async def test_nothing_is_left(session):
    assert await session.scalar(select(func.count()).select_from(Poll)) == 0


@pytest.mark.parametrize("number", [1, 2])
async def test_ids_begin_anew(client, number):
    assert (await client.post("/polls", json=LUNCH)).json() == {"id": 1, "choices": [1, 2]}


async def test_no_votes_at_first(client):
    poll = (await client.post("/polls", json=LUNCH)).json()
    assert (await client.get(f"/polls/{poll['id']}")).json() == {"soup": 0, "salad": 0}


async def test_vote(client):
    poll = (await client.post("/polls", json=LUNCH)).json()
    response = await client.post(f"/choices/{poll['choices'][0]}/vote")
    assert response.status_code == 202
    assert (await client.get(f"/polls/{poll['id']}")).json() == {"soup": 1, "salad": 0}


async def test_vote_for_unknown(client):
    assert (await client.post("/choices/1/vote")).status_code == 404


async def test_votes_at_once(client, session):
    choice = (await client.post("/polls", json=LUNCH)).json()["choices"][1]
    await asyncio.gather(*(client.post(f"/choices/{choice}/vote") for _ in range(8)))
    assert (await session.get(Choice, choice)).votes == 8


async def test_a_poll_of_the_session_is_seen(client, session):
    poll = Poll(question="Tea?", choices=[Choice(text="yes", votes=3)])
    session.add(poll)
    await session.commit()
    assert (await client.get(f"/polls/{poll.id}")).json() == {"yes": 3}


async def test_choices_go_with_their_poll(client, session):
    poll = (await client.post("/polls", json=LUNCH)).json()
    await session.delete(await session.get(Poll, poll["id"]))
    await session.commit()
    assert await session.scalar(select(func.count()).select_from(Choice)) == 0


async def test_an_unknown_poll_is_empty(client):
    assert (await client.get("/polls/9")).json() == {}
