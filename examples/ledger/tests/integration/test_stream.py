import pytest

from tests.fixtures.people import Pay, Person
from tests.fixtures.streaming import OpenStream, Stream


async def test_transfer_is_streamed(alices_stream: Stream, pay: Pay, alice: Person, bob: Person):
    """From commit through outbox, relay and NOTIFY to the websocket, with nothing replaced on the way."""
    made = (await pay(bob, alice, 5_00)).json()
    assert await alices_stream.receive_json() == made


async def test_other_peoples_transfers_are_not(
    alices_stream: Stream, open_stream: OpenStream, pay: Pay, alice: Person, bob: Person
):
    """When bob has heard of his second transfer, alice has heard of the one that was hers."""
    async with open_stream(bob.token) as bobs_stream:
        await bobs_stream.receive()
        await pay(alice, bob, 1_00)
        assert (await bobs_stream.receive_json())["amount"] == 1_00
        assert (await alices_stream.receive_json())["amount"] == 1_00
    assert alices_stream.is_silent()


@pytest.mark.parametrize("token", ["", "a.b.c"])
async def test_stream_needs_a_token(token: str, open_stream: OpenStream):
    """A stranger's handshake is refused."""
    async with open_stream(token) as refused:
        assert await refused.receive() == {"type": "websocket.close", "code": 1008, "reason": ""}
