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


@pytest.mark.parametrize("milliseconds", [30, 1, 5, 9, 13, 17, 21])
def test_no_database(milliseconds):
    time.sleep(milliseconds / 1000)


def test_alive(poller):
    assert poller.is_alive()
    assert poller.errors == []
