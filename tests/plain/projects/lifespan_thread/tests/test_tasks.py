import time

import pytest
from app import app, engine
from fastapi.testclient import TestClient
from sqlalchemy import text


@pytest.fixture(scope="module")
def client():
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("n", range(3))
def test_done(n, client):
    key = client.post("/tasks").json()
    deadline = time.monotonic() + 5
    while not client.get(f"/tasks/{key}").json() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.get(f"/tasks/{key}").json() is True
    assert client.get("/errors").json() == []


def test_ddl(client):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE notes (id int)"))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE notes"))


def test_no_errors(client):
    assert client.get("/errors").json() == []
