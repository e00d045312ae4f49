import pytest

pytestmark = pytest.mark.api


def test_a_room_is_booked(client):
    assert client.post("/rooms/blue/2030-01-01").status_code == 201
    assert client.get("/rooms/blue").json() == ["2030-01-01"]


def test_a_room_is_booked_once(client):
    assert client.post("/rooms/blue/2030-01-01").status_code == 201
    assert client.post("/rooms/blue/2030-01-01").status_code == 409


def test_no_room_is_booked_at_first(client):
    assert client.get("/rooms/blue").json() == []
