"""Tasks and threads of wide fixtures that write all the time, beside the tests and their resets."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

TASK = """
import asyncio
import itertools
import pytest
from app import Session, User

numbers = itertools.count()

@pytest.fixture(scope="session", autouse=True)
async def writer():
    errors, written = [], 0
    async def work():
        nonlocal written
        while True:
            try:
                async with Session() as session:
                    for _ in range(3):
                        session.add(User(name=f"fixture {next(numbers)}"))
                        await session.flush()
                        await asyncio.sleep(0)
                    await session.commit()
                written += 1
            except Exception as error:
                errors.append(error)
            await asyncio.sleep(0.0005)
    task = asyncio.create_task(work())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert errors == [] and written > 100

@pytest.mark.parametrize("number", range(300))
async def test_it(number):
    async with Session() as session:
        for _ in range(2):
            session.add(User(name=f"test {next(numbers)}"))
            await session.flush()
        await session.commit()
    await asyncio.sleep(0.002)
"""
THREAD = """
import itertools
import threading
import time
import pytest
from app import User
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, QueuePool

engine = create_engine("postgresql+DRIVER://app@db.production.invalid/app", poolclass=POOL)
numbers = itertools.count()

@pytest.fixture(scope="session", autouse=True)
def writer():
    errors, written, end = [], 0, threading.Event()
    def work():
        nonlocal written
        while not end.is_set():
            try:
                with Session(engine) as session:
                    for _ in range(3):
                        session.add(User(name=f"fixture {next(numbers)}"))
                        session.flush()
                    session.commit()
                written += 1
            except Exception as error:
                errors.append(error)
            time.sleep(0.0005)
    thread = threading.Thread(target=work)
    thread.start()
    yield
    end.set()
    thread.join()
    engine.dispose()
    assert errors == [] and written > 100

@pytest.mark.parametrize("number", range(300))
def test_it(number):
    with Session(engine) as session:
        for _ in range(2):
            session.add(User(name=f"test {next(numbers)}"))
            session.flush()
        session.commit()
    time.sleep(0.002)
"""


def test_a_task(project):
    """Neither the task nor a test gets a value of a sequence twice, and no writing transaction is ended."""
    project.run(TASK, "-W", "error").assert_outcomes(passed=300)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("pool", ["QueuePool", "NullPool"])
def test_a_thread(project, driver, pool):
    """The same for a thread, whether it keeps its connection or connects for each transaction."""
    project.run(THREAD.replace("DRIVER", driver).replace("POOL", pool), "-W", "error").assert_outcomes(passed=300)


LAYERS = (
    THREAD[: THREAD.index("@pytest.mark.parametrize")].replace("assert errors == [] and ", "assert ")
    + """
@pytest.fixture(scope="class")
def layer():
    with Session(engine) as session:
        session.add(User(name=f"layer {next(numbers)}"))
        session.commit()

class Each:
    def test_it(self, layer, crucible):
        with Session(engine) as session:
            session.add(User(name=f"test {next(numbers)}"))
            session.commit()
            with crucible.checkpoint() as checkpoint:
                for _ in range(2):
                    session.add(User(name=f"test {next(numbers)}"))
                    session.commit()
                    checkpoint.reset()

for number in range(60):
    globals()[f"Test{number}"] = type(f"Test{number}", (Each,), {})
"""
)


def test_layers_beside_a_thread(project):
    """No test gets a value that a row of the thread has, which came while a layer was taken."""
    text = LAYERS.replace("DRIVER", "psycopg").replace("POOL", "QueuePool")
    project.run(text, "-W", "error").assert_outcomes(passed=60)
