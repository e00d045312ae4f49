import asyncio

from httpx import AsyncClient

from tests.fixtures.people import PASSWORD, ClientAs, Person

REGISTRATION = {"email": "carol@example.org", "password": PASSWORD}


async def test_register_and_log_in(async_client: AsyncClient):
    """A registered user gets a token and is known by it."""
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
    """Without a token no user is known."""
    assert (await async_client.get("/me")).status_code == 401


async def test_everybody_is_themselves(authenticated_client: AsyncClient, client_as: ClientAs, bob: Person):
    """Alice and bob send requests at once, each with a client of their own."""
    answers = await asyncio.gather(*(client.get("/me") for client in (authenticated_client, client_as(bob))))
    assert [answer.json()["email"] for answer in answers] == ["alice@example.org", "bob@example.org"]


async def test_expired_token(async_client: AsyncClient, expired_token: str):
    """A token that has expired is refused, and the answer says how to authenticate."""
    answer = await async_client.get("/me", headers={"Authorization": f"Bearer {expired_token}"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
