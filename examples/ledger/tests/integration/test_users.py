import asyncio
from datetime import timedelta

from httpx import AsyncClient

from ledger.security import create_access_token
from tests.fixtures.people import PASSWORD, Person

REGISTRATION = {"email": "carol@example.org", "password": PASSWORD}


async def test_register_and_log_in(async_client: AsyncClient):
    """Who has registered gets a token and is known by it."""
    await async_client.post("/users", json=REGISTRATION)
    form = {"username": "carol@example.org", "password": PASSWORD}
    token = (await async_client.post("/token", data=form)).json()["access_token"]
    me = await async_client.get("/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["email"] == "carol@example.org"


async def test_address_registers_once(async_client: AsyncClient):
    """Of two registrations that arrive at once, one wins; the unique index decides, not a lookup."""
    answers = await asyncio.gather(*(async_client.post("/users", json=REGISTRATION) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_wrong_password(async_client: AsyncClient, alice: Person):
    """A wrong password gets no token."""
    form = {"username": alice.email, "password": "battery staple"}
    assert (await async_client.post("/token", data=form)).status_code == 401


async def test_no_token(async_client: AsyncClient):
    """Without a token nobody is anybody."""
    assert (await async_client.get("/me")).status_code == 401


async def test_expired_token(async_client: AsyncClient, alice: Person):
    """A token that has expired is refused, and the answer says how to authenticate."""
    token = create_access_token(alice.user_id, expires_delta=timedelta(seconds=-1))
    answer = await async_client.get("/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
