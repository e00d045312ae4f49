"""Sessions that outlive tests, and that tests write through."""

import textwrap

import pytest

from .conftest import Make

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
