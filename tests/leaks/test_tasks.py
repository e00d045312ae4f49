"""Tasks that a test leaves on a loop that lives on."""

from __future__ import annotations

import asyncio

import pytest

from pytest_crucible.isolation.pending_tasks import context_of, described

HEAD = """
import asyncio
import contextlib

import pytest
from sqlalchemy import func, select, text

import app as base
from app import Session, User

kept = []


async def forever():
    async with Session() as session:
        await session.execute(text("SELECT 1"))
        await session.commit()
        await asyncio.sleep(60)


@pytest.fixture(autouse=True, scope="module")
async def release():
    yield
    for task in kept:
        task.cancel()
    await asyncio.gather(*kept, return_exceptions=True)
"""
LEAKY = """

async def test_leaky():
    kept.append(asyncio.create_task(forever(), name="mine"))
    await asyncio.sleep(0.01)
"""


def test_a_task_that_is_left_behind(project):
    """It is named, with the line where it is suspended; it goes on, and is not reported again."""
    result = project.run(
        HEAD
        + LEAKY
        + """

async def test_next():
    await asyncio.sleep(0.01)
    assert not kept[0].done()
"""
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines(
        [
            r"test_\d+.py::test_leaky",
            r".*PendingTaskWarning: .* behind: mine, coroutine forever, suspended at .*test_\d+.py:\d+ in forever.",
            r".*Probably asyncio.create_task\(\).*",
            r".*Await it or cancel it before the test ends.*",
        ]
    )


def test_strictness(project):
    """Where the warning is an error, the task is cancelled, and the next test starts clean."""
    result = project.run(
        HEAD
        + LEAKY
        + """

async def test_next(db_session):
    assert kept[0].cancelled()
    db_session.add(User(name="x"))
    await db_session.commit()

async def test_last(db_session):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0
""",
        "-Werror::pytest_crucible.PendingTaskWarning",
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.re_match_lines([r".*ERROR at teardown of test_leaky.*", r"E .*PendingTaskWarning: The test left.*"])


def test_a_task_of_a_request(project):
    """A request that creates a task and answers is found out, without any session of the test's."""
    result = project.run(
        HEAD
        + """
@base.app.post("/later")
async def later():
    kept.append(asyncio.create_task(forever()))

async def test_leaky(async_client):
    await async_client.post("/later")
"""
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.re_match_lines([r".*coroutine forever, suspended at .*"])


def test_a_task_of_a_loop_without_a_database(project):
    """The loop of a wider scope is known also where nothing has connected on it."""
    result = project.run(
        """
        import asyncio
        import pytest

        async def test_leaky():
            asyncio.create_task(asyncio.sleep(60)).set_name("bare")
        """,
        "-Werror::pytest_crucible.PendingTaskWarning",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines([r"E .*: bare, coroutine sleep, suspended at .*"])


def test_a_task_that_is_about_to_end(project):
    """What ends within a moment is not worth a word."""
    result = project.run(
        HEAD
        + """
async def test_busy():
    kept.append(asyncio.create_task(asyncio.sleep(0.005)))

async def test_next():
    assert kept[0].done()
""",
        "-Werror::pytest_crucible.PendingTaskWarning",
    )
    result.assert_outcomes(passed=2)


def test_tasks_that_belong_to_somebody(project):
    """Tasks of the lifespan, of wide fixtures, and what they create later themselves, are no leak."""
    result = project.run(
        HEAD
        + """
async def breed():
    while True:
        kept.append(asyncio.create_task(forever()))
        await asyncio.sleep(0.05)

@contextlib.asynccontextmanager
async def lifespan(app):
    kept.append(asyncio.create_task(breed()))
    yield

@pytest.fixture(scope="module")
async def wide():
    kept.append(asyncio.create_task(breed()))

@pytest.fixture(autouse=True, scope="module")
def breeding():
    base.app.router.lifespan_context = lifespan

@pytest.mark.parametrize("i", range(3))
async def test_owned(async_client, wide, i):
    await asyncio.sleep(0.1)

async def test_count():
    assert len(kept) > 6
""",
        "-Werror::pytest_crucible.PendingTaskWarning",
    )
    result.assert_outcomes(passed=4)


def test_a_loop_that_ends_with_its_test(project):
    """Its tasks are cancelled by the code that ends the loop, as in every asyncio program."""
    result = project.run(
        HEAD.partition("@pytest.fixture")[0] + LEAKY,
        "-Werror::pytest_crucible.PendingTaskWarning",
        "-oasyncio_default_test_loop_scope=function",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("kind", ["passed", "leaky"])
def test_anyio(project, kind):
    """anyio's own runner is no task of a test's, and what a test leaves beside it is found."""
    result = project.run(
        """
        import asyncio
        import pytest
        from sqlalchemy import text
        from app import Session

        kept = []
        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(scope="module")
        async def wide():
            async with Session() as session:
                await session.execute(text("SELECT 1"))
            yield
            for one in kept:
                one.cancel()

        async def work():
            await asyncio.sleep(60)

        async def test_passed(wide):
            async with Session() as session:
                await session.execute(text("SELECT 1"))

        async def test_leaky(wide):
            kept.append(asyncio.create_task(work()))
        """,
        "-oasyncio_mode=strict",
        "-k",
        kind,
    )
    result.assert_outcomes(passed=1, deselected=1, warnings=kind == "leaky")


def test_what_a_context_tells():
    """A task's context is found on every Python that we support."""

    async def work():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(work(), name="one")
        await asyncio.sleep(0)
        assert context_of(task) is not None
        assert described(task).startswith("The test left a task behind: one, coroutine test_what_a_context_tells.")
        task.cancel()

    asyncio.run(main())
