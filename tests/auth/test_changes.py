"""The rows that differ, also where another role wrote them."""

from __future__ import annotations

import pytest

CHANGES = """
import pytest
from sqlalchemy import text
from app import Session, User
from pytest_crucible.control.row_changes import watching

@pytest.fixture
async def watched(db_session, crucible_run):
    db_session.add_all([User(name="ada"), User(name="bob")])
    await db_session.commit()
    with watching([crucible_run.worker.connect()]) as watch:
        yield watch

async def execute(*statements):
    async with Session.begin() as session:
        for statement in statements:
            await session.execute(text(statement))

async def test_changes(watched):
    await execute("INSERT INTO users (name) VALUES ('cyd')", "UPDATE users SET name = 'Ada' WHERE name = 'ada'",
                  "DELETE FROM users WHERE name = 'bob'")
    (change,) = watched.changes()
    assert change.table == "public.users"
    assert (change.added, change.removed) == (("(1,Ada)", "(3,cyd)"), ("(1,ada)", "(2,bob)"))
    assert str(change).splitlines() == ["public.users:", "+ (1,Ada)", "+ (3,cyd)", "- (1,ada)", "- (2,bob)"]
    assert watched.changes(["users"]) == watched.changes(["public.users"]) == []

async def test_truncated(watched):
    await execute("TRUNCATE users")
    assert [change.removed for change in watched.changes()] == [("every row, by TRUNCATE",)]

async def test_nothing(watched):
    await execute("UPDATE users SET name = name", "DELETE FROM users WHERE false")
    async with Session() as session:
        session.add(User(name="never"))
        await session.flush()
    assert watched.changes() == []

@pytest.mark.crucible(isolation="clone")
async def test_schema(watched):
    await execute("CREATE TABLE made (id integer)")
    assert [change.table for change in watched.changes()] == ["the schema"]
"""


def test_rows_of_every_kind_of_change(project):
    """Inserts, updates and deletes by another session; not what is rolled back, written without effect, or ignored."""
    project.run(CHANGES).assert_outcomes(passed=4)


VIRTUAL = """
from sqlalchemy import DDL, Column, Computed, Integer, MetaData, Table, event

metadata = MetaData()
stored = Column("id", Integer), Column("n", Integer)
Table("quotient", metadata, *stored, Column("q", Integer, Computed("100 / n", False)))
event.listen(metadata, "after_create", DDL("INSERT INTO quotient (id, n) VALUES (1, 0), (2, 50)"))
"""


def test_a_virtual_column_that_raises_is_not_read(project):
    """Rows show the stored columns only where a table has virtual ones, of which any may fail."""
    pytest.importorskip("sqlalchemy", minversion="2.1", reason="SQLAlchemy 2.0 cannot make virtual columns")
    project.root.joinpath("virtual.py").write_text(VIRTUAL)
    project.run(
        """
        from sqlalchemy import text
        from pytest_crucible.control.row_changes import watching

        def test_changes(crucible_run, sync_session):
            with watching([crucible_run.worker.connect()]) as watch:
                sync_session.execute(text("UPDATE quotient SET n = 0 WHERE id = 2"))
                sync_session.commit()
                (change,) = watch.changes()
            assert (change.added, change.removed) == (("(2,0,)",), ("(2,50,)",))
        """,
        "--crucible-metadata=virtual:metadata",
    ).assert_outcomes(passed=1)
