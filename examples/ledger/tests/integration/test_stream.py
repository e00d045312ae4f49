import pytest
from httpx_ws import WebSocketUpgradeError

from tests.fixtures.people import Pay, Person
from tests.fixtures.streaming import OpenStream


async def test_transfer_is_streamed(open_stream: OpenStream, pay: Pay, alice: Person, bob: Person):
    """From commit through outbox, relay and NOTIFY to the websocket, with nothing replaced on the way."""
    async with open_stream(alice.token) as stream:
        made = (await pay(bob, alice, 5_00)).json()
        assert await stream.receive_json() == made


async def test_other_peoples_transfers_are_not(open_stream: OpenStream, pay: Pay, alice: Person, bob: Person):
    """Alice has heard of her transfer when bob hears of his second one."""
    async with open_stream(alice.token) as alices_stream, open_stream(bob.token) as bobs_stream:
        await pay(alice, bob, 1_00)
        assert (await bobs_stream.receive_json())["amount"] == 1_00
        assert (await alices_stream.receive_json())["amount"] == 1_00
        with pytest.raises(TimeoutError):
            await alices_stream.receive(timeout=0.01)


@pytest.mark.parametrize("token", ["", "a.b.c"])
async def test_stream_needs_a_token(token: str, open_stream: OpenStream):
    """A handshake without a valid token is refused."""
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with open_stream(token):
            pass
    assert refused.value.response.extensions["websocket_close"] == (1008, "")
