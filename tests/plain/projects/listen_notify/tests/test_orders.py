import time

import pytest
from app import Listener, Order, engine
from sqlalchemy import text
from sqlalchemy.orm import Session


@pytest.fixture
def listener():
    listener = Listener()
    listener.start()
    assert listener.ready.wait(5)
    yield listener
    listener.stop.set()
    listener.join()


def heard(listener, expected):
    deadline = time.monotonic() + 5
    while listener.heard != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return listener.heard == expected


@pytest.mark.parametrize("n", range(3))
def test_trigger(n, listener):
    with Session(engine) as session:
        session.add(Order(item=f"item {n}"))
        session.commit()
    assert heard(listener, [f"item {n}"])


def test_rolled_back(listener):
    with Session(engine) as session:
        session.add(Order(item="no"))
        session.flush()
        session.rollback()
        session.execute(text("SELECT pg_notify('orders', 'yes')"))
        session.commit()
    assert heard(listener, ["yes"])
