"""Which rows differ, whoever wrote them."""

from __future__ import annotations


def test_rows_of_every_kind_of_change(project):
    """Inserts, updates and deletes by another session; not what is rolled back, written without effect, or ignored."""
    project.run(
        """
        import pytest
        from sqlalchemy import text
        from app import Session, User
        from pytest_crucible.changes import watching

        @pytest.fixture
        async def watched(db_session, crucible_run):
            db_session.add_all([User(name="ada"), User(name="bob")])
            await db_session.commit()
            with watching([crucible_run.worker.control]) as watch:
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
    ).assert_outcomes(passed=4)
