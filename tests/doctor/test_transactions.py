"""Hand-written transactions that commit every test."""

import textwrap

import pytest

from .conftest import Make

COMMITS = {
    "the rollback follows the block": """
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
    """Return a conftest with one fixture of this body."""
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
    assert "each test's rows stay for later tests" in finding.why


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("case", KEEPS)
def test_fixtures_that_roll_back(project_of: Make, case: str, *, sync: bool):
    """A rollback inside the block, or a block that no test runs in, is well."""
    assert project_of(fixture(KEEPS[case], sync=sync)).codes() == ["crucible-off"]


def test_the_line_is_the_rollback_s(project_of: Make):
    """The finding points at the rollback that comes too late, and names both."""
    [finding] = project_of(fixture(COMMITS["the rollback follows the block"])).found("commits-every-test")
    assert (finding.file, finding.line) == ("tests/conftest.py", 12)
    assert finding.found == "trans.rollback() follows the block of conn.begin(), which has committed by then."


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
