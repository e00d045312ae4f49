"""Sessions that outlive tests, and that tests write through."""

import textwrap
from pathlib import Path

import pytest

from .conftest import ASYNC, Make, Patient
from .remedies import MAIN, run

TOP = "import pytest\nfrom sqlalchemy import insert, select, text\nfrom sqlalchemy.orm import Session, sessionmaker\n"
TOP += "from sqlalchemy.ext.asyncio import AsyncSession\nfrom app.database import engine, Ship\n\n"
WIDE = """
    @pytest.fixture(scope="session")
    def db():
        with Session(engine) as session:
            yield session
"""
WRITES = {
    "add": "def test_it(db):\n    db.add(Ship())\n",
    "a statement": "def test_it(db):\n    db.execute(insert(Ship).values(id=1))\n",
    "text": "def test_it(db):\n    db.execute(text('DELETE FROM ships'))\n",
    "a fixture": "@pytest.fixture\ndef ship(db):\n    db.add(Ship())\n    db.commit()\n",
    "a method": "class TestIt:\n    async def test_it(self, db):\n        await db.merge(Ship())\n",
}


def files(conftest: str, test: str) -> dict[str, str]:
    return {"tests/conftest.py": TOP + textwrap.dedent(conftest), "tests/test_it.py": TOP + textwrap.dedent(test)}


@pytest.mark.parametrize("test", WRITES.values(), ids=WRITES)
def test_writes_through_a_wide_session(project_of: Make, test: str):
    """A wide session that a test writes through is found, with the line of the first write."""
    [finding] = project_of(files(WIDE, test)).found("wide-session-writes")
    assert (finding.file, finding.line, finding.severity) == ("tests/conftest.py", 9, "warning")
    assert "The session-scoped fixture db holds one session open" in finding.found
    assert "tests/test_it.py:" in finding.found
    assert "sync_session" in finding.do


@pytest.mark.parametrize(
    ("isolation", "severity", "words"),
    [
        ("reset", "note", "rolled back with a LeakWarning"),
        ("clone", "note", "connects anew"),
        ("rollback", "warning", "not in the outer transaction"),
    ],
)
def test_each_isolation(project_of: Make, isolation: str, severity: str, words: str):
    """The reason is that of the isolation that is set."""
    patient = project_of(files(WIDE, WRITES["add"]), on=True, extra=f'crucible_isolation = "{isolation}"\n')
    [finding] = patient.found("wide-session-writes")
    assert finding.severity == severity
    assert words in finding.why


MORE = {
    "async": """
        @pytest.fixture(scope="module")
        async def db():
            session = AsyncSession(engine)
            yield session
    """,
    "a maker": """
        Maker = sessionmaker(engine)

        @pytest.fixture(scope="class")
        def db():
            session = Maker()
            yield session
    """,
}


@pytest.mark.parametrize("conftest", MORE.values(), ids=MORE)
def test_kinds_of_wide_sessions(project_of: Make, conftest: str):
    """Asynchronous sessions and those of a session maker are sessions as well."""
    assert len(project_of(files(conftest, WRITES["add"])).found("wide-session-writes")) == 1


QUIET = {
    "tests only read": (WIDE, "def test_it(db):\n    db.scalars(select(Ship))\n"),
    "each test has a session": (WIDE.replace('(scope="session")', ""), WRITES["add"]),
    "another library": (
        """
        import requests

        @pytest.fixture(scope="session")
        def db():
            yield requests.Session()
        """,
        "def test_it(db):\n    db.delete('https://example.test')\n",
    ),
    "it commits and yields none": (
        """
        @pytest.fixture(scope="session")
        def db():
            with Session(engine) as session:
                session.add(Ship())
                session.commit()
            yield
        """,
        "def test_it(db): ...\n",
    ),
    "a fixture rolls back": (
        WIDE + "\n    @pytest.fixture(autouse=True)\n    def clean(db):\n        yield\n        db.rollback()\n",
        WRITES["add"],
    ),
    "a nearer fixture": (WIDE, "@pytest.fixture\ndef db():\n    return set()\n\n" + WRITES["add"]),
}


@pytest.mark.parametrize(("conftest", "test"), QUIET.values(), ids=QUIET)
def test_sessions_that_are_well(project_of: Make, conftest: str, test: str):
    """A wide session that tests only read, that is rolled back, or that is none is no finding."""
    assert project_of(files(conftest, test)).found("wide-session-writes") == []


# What the reasons say, under each isolation.
CLAIMS = """
import pytest
from sqlalchemy import func, select
from app.main import Maker, Ship

kept = []


@pytest.fixture(scope="session")
async def wide():
    async with Maker() as session:
        yield session


async def test_commits(wide):
    kept.append(Ship(id=1))
    wide.add(kept[0])
    await wide.commit()


async def test_the_row_is_gone_and_the_object_is_not(wide):
    assert await wide.scalar(select(func.count()).select_from(Ship)) == 0
    assert await wide.get(Ship, 1) is kept[0]


async def test_leaves_a_row_uncommitted(wide):
    wide.add(Ship(id=2))
    await wide.flush()


async def test_what_is_flushed_is_seen_by_no_other(wide, db_session):
    assert await wide.get(Ship, 2) is None
    wide.add(Ship(id=3))
    await wide.flush()
    assert await db_session.get(Ship, 3) is None
    await wide.rollback()
"""


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["reset", "clone", "rollback"])
def test_what_the_reasons_say(tmp_path: Path, server_cache: Path, isolation: str):
    """Rows of earlier tests are gone and their objects stay, and an open transaction is rolled back with a warning."""
    lines = f'crucible_metadata = ["app.main:Base"]\ncrucible_isolation = "{isolation}"\n'
    files = {"pyproject.toml": ASYNC.format(loops="session") + lines, "app/__init__.py": "", "app/main.py": MAIN}
    Patient(tmp_path).write({**files, "tests/test_it.py": CLAIMS})
    done = run(tmp_path, server_cache, "default")
    assert "4 passed, 1 warning" in done.stdout, done.stdout + done.stderr
    assert "LeakWarning: The test left a transaction open that has written" in done.stdout
