import pytest


@pytest.mark.parametrize("n", range(2))
def test_background(n, client):
    assert client.post("/later/a").status_code == 202
    assert client.get("/stream").text == "a\n"


@pytest.mark.parametrize("n", range(2))
def test_websocket(n, client):
    with client.websocket_connect("/ws") as socket:
        socket.send_text("a")
        assert socket.receive_json() == ["a"]
        socket.send_text("b")
        assert socket.receive_json() == ["a", "b"]


def test_stream_that_is_left(client):
    for n in range(50):
        client.post(f"/later/{n}")
    with client.stream("GET", "/stream") as response:
        assert next(response.iter_lines()) == "0"


def test_empty(client):
    assert client.get("/stream").text == ""
