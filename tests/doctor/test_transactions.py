"""Hand-written transactions: what commits every test, and what loses rows."""

import textwrap

import pytest

from .conftest import Make

COMMITS = {
    "the rollback stands behind the block": """
        async with engine.connect() as conn:
            async with conn.begin() as trans:
                session = AsyncSession(bind=conn, join_transaction_mode="create_savepoint")
                yield session
                await session.close()
            await trans.rollback()
    """,
    "the same of the connection that begin() gives": """
        async with engine.begin() as conn:
            yield AsyncSession(bind=conn, join_transaction_mode="create_savepoint")
        await conn.rollback()
    """,
    "only the session rolls back": """
        async with engine.begin() as conn:
            session = AsyncSession(bind=conn, join_transaction_mode="create_savepoint")
            yield session
            await session.rollback()
            await session.close()
    """,
    "nothing rolls back": """
        async with engine.begin() as conn:
            async with AsyncSession(bind=conn, join_transaction_mode="create_savepoint") as session:
                yield session
    """,
}
KEEPS = {
    "the rollback stands in the block": """
        async with engine.connect() as conn:
            async with conn.begin() as trans:
                yield AsyncSession(bind=conn, join_transaction_mode="create_savepoint")
                await trans.rollback()
    """,
    "there is no block that commits": """
        async with engine.connect() as conn:
            trans = await conn.begin()
            yield AsyncSession(bind=conn, join_transaction_mode="create_savepoint")
            await trans.rollback()
    """,
    "the block only makes the schema": """
        async with engine.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
        yield engine
        async with engine.begin() as conn:
            await conn.run_sync(Base.metadata.drop_all)
    """,
    "something else is rolled back": """
        async with engine.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            yield session
            await session.rollback()
    """,
}


def fixture(body: str, *, sync: bool = False) -> dict[str, str]:
    """A conftest with one fixture of this body."""
    text = "import pytest\nfrom sqlalchemy.ext.asyncio import AsyncSession\nfrom sqlalchemy.orm import Session\n"
    text += "\n@pytest.fixture\nasync def session(engine):\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ")
    if sync:
        for word, instead in (("async ", ""), ("await ", ""), ("bind=AsyncSession", "Session")):
            text = text.replace(word, instead)
        text = text.replace("AsyncSession(", "Session(")
    return {"tests/conftest.py": text + "\n"}


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("case", COMMITS)
def test_fixtures_that_commit_every_test(project_of: Make, case: str, *, sync: bool):
    """Leaving a begin() block commits, whatever is rolled back behind it."""
    [finding] = project_of(fixture(COMMITS[case], sync=sync)).found("commits-every-test")
    assert finding.severity == "error"
    assert "each test's rows stay for the next ones" in finding.why


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("case", KEEPS)
def test_fixtures_that_roll_back(project_of: Make, case: str, *, sync: bool):
    """A rollback inside the block, or a block that no test runs in, is well."""
    assert project_of(fixture(KEEPS[case], sync=sync)).codes() == ["crucible-off"]


def test_the_line_is_the_rollback_s(project_of: Make):
    """The finding points at the rollback that comes too late, and names both."""
    [finding] = project_of(fixture(COMMITS["the rollback stands behind the block"])).found("commits-every-test")
    assert (finding.file, finding.line) == ("tests/conftest.py", 12)
    assert finding.found == "trans.rollback() stands behind the block of conn.begin(), which has committed by then."


OUTER = """
    async with engine.connect() as conn:
        trans = await conn.begin()
        yield AsyncSession(bind=conn{mode})
        await trans.rollback()
"""


@pytest.mark.parametrize(
    "mode", ["", ', join_transaction_mode="conditional_savepoint"', ', join_transaction_mode="rollback_only"']
)
def test_modes_that_lose_seed_rows(project_of: Make, mode: str):
    """In every mode but create_savepoint a rollback of the code under test ends the outer transaction."""
    [finding] = project_of(fixture(OUTER.format(mode=mode))).found("join-transaction-mode")
    assert "rolls the outer transaction back, and with it the rows that fixtures have made" in finding.why
    assert 'join_transaction_mode="create_savepoint"' in finding.do


def test_a_mode_that_leaks(project_of: Make):
    """control_fully really commits."""
    [finding] = project_of(fixture(OUTER.format(mode=', join_transaction_mode="control_fully"'))).found(
        "join-transaction-mode"
    )
    assert "stay in the database" in finding.why


@pytest.mark.parametrize("body", [OUTER.format(mode=', join_transaction_mode="create_savepoint"'), *KEEPS.values()])
def test_modes_that_keep_seed_rows(project_of: Make, body: str):
    """create_savepoint, and a session without an outer transaction, lose nothing."""
    assert project_of(fixture(body)).found("join-transaction-mode") == []


def test_the_transaction_may_be_another_fixture_s(project_of: Make):
    """A session on the connection that another fixture has begun a transaction on is found, also through a maker."""
    files = {
        "app/db.py": "from sqlalchemy.orm import sessionmaker\n\nSessionLocal = sessionmaker(autoflush=False)\n",
        "tests/conftest.py": """
            import pytest
            from app.db import SessionLocal

            @pytest.fixture
            def connection(engine):
                connection = engine.connect()
                transaction = connection.begin()
                yield connection
                transaction.rollback()
                connection.close()

            @pytest.fixture
            def session(connection):
                session = SessionLocal(bind=connection)
                yield session
                session.close()
        """,
    }
    [finding] = project_of(files).found("join-transaction-mode")
    assert (finding.line, finding.file) == (15, "tests/conftest.py")
    assert finding.found.startswith("SessionLocal is bound to a connection with an outer transaction, without")


@pytest.mark.parametrize(
    "body",
    [
        # The connection is in a savepoint, which the default mode respects.
        "conn = engine.connect()\nconn.begin()\nconn.begin_nested()\nyield Session(bind=conn)\n",
        # The recipe of SQLAlchemy 1.x.
        """
        conn = engine.connect()
        conn.begin()
        session = Session(bind=conn)
        session.begin_nested()
        event.listens_for(session, "after_transaction_end")
        yield session
        """,
        # Nobody can tell what the options hold.
        "conn = engine.connect()\nconn.begin()\nyield Session(bind=conn, **options)\n",
    ],
)
def test_what_cannot_be_told_is_not_said(project_of: Make, body: str):
    """Savepoints of one's own and options from elsewhere are left alone."""
    assert project_of(fixture(body, sync=True)).found("join-transaction-mode") == []


def maker(keyword: str = "") -> str:
    return (
        "from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine\n"
        "from sqlalchemy.pool import NullPool\n"
        'engine = create_async_engine("postgresql+asyncpg://localhost/a", poolclass=NullPool)\n'
        f"Session = async_sessionmaker(engine{keyword})\n\n\n"
        "def session():\n    return Session()\n"
    )


def test_expire_on_commit_hides_missing_greenlet(project_of: Make):
    """Objects that stay loaded in tests only hide what fails in production."""
    files = {"app/db.py": maker(), "tests/conftest.py": maker(", expire_on_commit=False")}
    [finding] = project_of(files).found("expire-on-commit")
    assert (finding.file, finding.line, finding.severity) == ("tests/conftest.py", 4, "warning")
    assert "MissingGreenlet" in finding.why
    assert "Write expire_on_commit=True" in finding.do


def test_expire_on_commit_the_other_way_round(project_of: Make):
    """Tests that are stricter than the application are noted."""
    files = {"app/db.py": maker(", expire_on_commit=False"), "tests/conftest.py": maker()}
    [finding] = project_of(files).found("expire-on-commit")
    assert finding.severity == "note"


@pytest.mark.parametrize(
    ("application", "tests"),
    [
        ("", ""),
        (", expire_on_commit=False", ", expire_on_commit=False"),
        (", **options", ", expire_on_commit=False"),
        (", expire_on_commit=flag", ""),
    ],
)
def test_expire_on_commit_that_agrees_or_cannot_be_told(project_of: Make, application: str, tests: str):
    """The same on both sides, or what no literal says, is no finding."""
    files = {"app/db.py": maker(application), "tests/conftest.py": maker(tests)}
    assert project_of(files).found("expire-on-commit") == []


def test_a_rollback_that_is_expected_to_fail(project_of: Make):
    """A test of what a rollback behind its block does is no fixture that commits."""
    text = """
        import pytest

        async def test_it(engine):
            async with engine.connect() as connection:
                async with connection.begin() as transaction:
                    pass
                with pytest.raises(Exception):
                    await transaction.rollback()
                {more}
    """
    expected = project_of({"tests/test_it.py": text.format(more="")})
    assert expected.found("commits-every-test") == []
    [finding] = project_of({"tests/test_it.py": text.format(more="await transaction.rollback()")}).found(
        "commits-every-test"
    )
    assert finding.line == 10
