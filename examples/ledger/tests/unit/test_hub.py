from ledger.stream import Hub


async def test_event_reaches_each_of_its_users():
    """A transfer is handed to both who take part."""
    hub = Hub()
    with hub.subscribe(1) as first, hub.subscribe(2) as second:
        hub.publish({"users": [1, 2], "transfer": {"id": 5}})
    assert first.get_nowait() == second.get_nowait() == {"id": 5}


async def test_event_reaches_nobody_else():
    """A transfer is no business of a third person."""
    hub = Hub()
    with hub.subscribe(3) as third:
        hub.publish({"users": [1, 2], "transfer": {"id": 5}})
    assert third.empty()


async def test_closed_stream_receives_nothing():
    """After its block, a subscription is forgotten."""
    hub = Hub()
    with hub.subscribe(1) as queue:
        pass
    hub.publish({"users": [1], "transfer": {"id": 5}})
    assert queue.empty()
