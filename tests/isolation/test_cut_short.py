"""Whatever cuts the end of a test short, such as a time-out: the next test finds the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.shared import inner_project

# Raises pytest's own exception, as pytest-timeout's signal does, at the number-th place of a method where CPython
# handles signals: at the beginning of a function, and after a function in C. Its next call gets the next number.
CUTS = """
import sys
import pytest
import pytest_crucible
from pathlib import Path
from pytest_crucible.isolation.checkpoints import Checkpoints
from pytest_crucible.isolation.isolation import Isolation
from pytest_crucible.isolation.layers import Layers
from pytest_crucible.run import Run
from pytest_crucible.worker.database import Database

HOME = str(Path(pytest_crucible.__file__).parent)
class Cut:
    def __init__(self, number):
        self.left = number

    def profile(self, frame, event, argument):
        if event in ("call", "c_return") and frame.f_code.co_filename.startswith(HOME):
            self.left -= 1
            if not self.left:
                sys.setprofile(None)
                pytest.fail("too late")

original = METHOD
number, is_cutting = FIRST, False

def cut(*arguments, **kwargs):
    global number, is_cutting
    if is_cutting or kwargs.get("again"):
        return original(*arguments, **kwargs)
    number, is_cutting = number + STEP, True
    sys.setprofile(Cut(number).profile)
    try:
        return original(*arguments, **kwargs)
    finally:
        sys.setprofile(None)
        is_cutting = False

METHOD = cut

def pytest_unconfigure():
    METHOD = original
"""
HEAD = """
import pytest
from app import Session, User
from sqlalchemy import create_engine, func, select, text

sync = create_engine("postgresql+psycopg://app@db.production.invalid/app")
LEAKED = []

def insert(name):
    with sync.begin() as connection:
        connection.execute(text(f"INSERT INTO users (name) VALUES ('{name}')"))

async def users():
    async with Session() as session:
        return await session.scalar(select(func.count()).select_from(User))
"""
KINDS = {
    "rows": """
@pytest.mark.parametrize("number", range(NUMBER))
async def test_rows(number, db_session):
    assert await users() == 0
    db_session.add(User(name="ada"))
    await db_session.commit()
""",
    "clone": """
@pytest.mark.crucible(isolation="clone")
@pytest.mark.parametrize("number", range(NUMBER))
async def test_clone(number):
    assert await users() == 0
    insert("ada")
""",
    "schema": """
@pytest.mark.parametrize("number", range(NUMBER))
async def test_schema(number, db_session):
    assert await users() == 0
    await db_session.execute(text("CREATE TABLE more (id integer)"))
    db_session.add(User(name="ada"))
    await db_session.commit()
""",
    "leak": """
@pytest.mark.parametrize("number", range(NUMBER))
async def test_leak(number):
    assert await users() == 0
    insert("ada")
    LEAKED[:] = [Session()]
    LEAKED[0].add(User(name="grace"))
    await LEAKED[0].flush()
""",
    "checkpoint": """
@pytest.mark.parametrize("number", range(NUMBER))
async def test_checkpoint(number, crucible):
    assert await users() == 0
    insert("ada")
    with crucible.checkpoint():
        insert("grace")
        assert await users() == 2
    insert("mary")
""",
    "nested": """
@pytest.mark.parametrize("number", range(NUMBER))
async def test_nested(number, crucible):
    assert await users() == 0
    insert("ada")
    with crucible.checkpoint():
        insert("grace")
        with crucible.checkpoint():
            insert("mary")
        assert await users() == 2
""",
    "wide": """
@pytest.fixture(scope="module", params=range(NUMBER))
def wide(request):
    insert("ada")
    yield
    insert("grace")

async def test_wide(wide):
    assert await users() == 1
    insert("mary")
    assert await users() == 2
""",
}
KEPT = """
async def test_fails():
    insert("ada")
    assert False

async def test_reads():
    assert await users() == 0
"""


class Cuts(NamedTuple):
    """A method that time-outs cut short, each at a later place, and the tests in which they do.

    Attributes:
        kind: The kind of the tests.
        method: The method.
        number: The number of the tests, which is larger than that of the places.
        step: The distance between two places.
        first: The number of places at its begin at which it may not be cut.
    """

    kind: str
    method: str
    number: int
    step: int = 1
    first: int = 0


def name(cuts: Cuts) -> str:
    return f"{cuts.kind}-{cuts.method}-{cuts.step}"


QUICK = [
    Cuts("rows", "Run._end", 24, 8),
    Cuts("schema", "Run._end", 24, 12),
    Cuts("checkpoint", "Run._end", 24, 12),
    Cuts("checkpoint", "Checkpoints.begin", 24, 16),
    Cuts("wide", "Isolation.end_fixture", 24, 10, 2),
]
THOROUGH = [
    Cuts("rows", "Run._end", 180),
    Cuts("rows", "Isolation.finish_reset", 180),
    Cuts("schema", "Run._end", 280),
    Cuts("schema", "Database.renew", 140),
    Cuts("clone", "Run._end", 220),
    Cuts("leak", "Run._end", 240, 5),
    Cuts("checkpoint", "Run._end", 280),
    Cuts("checkpoint", "Checkpoints.begin", 400),
    Cuts("nested", "Checkpoints.begin", 400),
    Cuts("wide", "Layers._settle", 40),
    Cuts("wide", "Layers._capture", 120),
    Cuts("wide", "Isolation.end_fixture", 220, 1, 2),  # a cut before its first line leaves no trace of the fixture
]


@pytest.fixture
def conftest(project) -> Iterator[Callable[[Cuts], None]]:
    """Yield a function that writes the project's conftest.py, which is removed after the test."""

    def write(cuts: Cuts) -> None:
        text = CUTS.replace("METHOD", cuts.method).replace("FIRST", str(cuts.first)).replace("STEP", str(cuts.step))
        inner_project.write(project.root, "conftest.py", text)

    yield write
    (project.root / "conftest.py").unlink()


@pytest.mark.parametrize("cuts", [*QUICK, *(pytest.param(cuts, marks=pytest.mark.slow) for cuts in THOROUGH)], ids=name)
def test_every_place(project, conftest, cuts: Cuts):
    """A time-out may come anywhere: before the next test, what it has cut short is done again."""
    conftest(cuts)
    result = project.run(HEAD + KINDS[cuts.kind].replace("NUMBER", str(cuts.number)), "-s", "-W", "ignore")
    outcomes = result.parseoutcomes()
    result.stdout.no_fnmatch_line("E *assert *")  # a test that finds other rows than the baseline's
    assert cuts.number // 10 <= outcomes.get("errors", 0) + outcomes.get("failed", 0) < cuts.number


def test_a_kept_database(project, conftest):
    """The database of a failed test is kept although its end was cut short, and the next test has another one."""
    conftest(Cuts("kept", "Isolation._finish", 2, 1000, -999))  # the first test alone
    project.run(HEAD + KEPT, "--crucible-keep-failed").assert_outcomes(passed=1, failed=1, errors=1)
