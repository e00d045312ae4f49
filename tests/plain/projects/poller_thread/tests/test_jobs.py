import time

import pytest
from app import Job, engine
from sqlalchemy.orm import Session


def until(holds):
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holds()


def done(key):
    with Session(engine) as session:
        return session.get(Job, key).done


@pytest.mark.parametrize("n", range(4))
def test_done(n, poller):
    with Session(engine) as session:
        job = Job()
        session.add(job)
        session.commit()
        key = job.id
    until(lambda: done(key))
    assert poller.errors == []


def test_no_database():
    time.sleep(0.03)


def test_alive(poller):
    assert poller.is_alive()
    assert poller.errors == []
