import threading

import httpx
import pytest
from app import Ping, engine, server
from sqlalchemy import select
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def url(tables):
    running = server()
    thread = threading.Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture(scope="session")
def client(url):
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("n", range(3))
def test_ping(n, client):
    assert client.get("/a").json() == 1
    assert client.get("/b").json() == 2
    with Session(engine) as session:
        assert session.scalars(select(Ping.path).order_by(Ping.id)).all() == ["/a", "/b"]


def test_many(client):
    assert [client.get("/").json() for _ in range(10)] == list(range(1, 11))
