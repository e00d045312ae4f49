import time

import pytest


@pytest.mark.parametrize("n", range(3))
def test_seen(n, client):
    key = client.post("/sails/jib").json()
    deadline = time.monotonic() + 5
    while not client.get(f"/sails/{key}").json()["seen"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.get(f"/sails/{key}").json() == {"name": "jib", "seen": True, "polling": True}


def test_main(client):
    assert client.get("/main").json() == 1
