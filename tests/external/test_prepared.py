"""Prepared transactions, which a server of the user's may allow."""

from __future__ import annotations


def test_a_prepared_transaction(project, external, role):
    """One that a test leaves is rolled back and reported; the next test is not blocked by its locks."""
    name = role("preparing")
    result = project.run(
        """
        import pytest
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session

        from app import User

        engine = create_engine("postgresql+psycopg2://app@nowhere.invalid/app")

        def test_prepares():
            with engine.connect() as connection:
                transaction = connection.begin_twophase()
                connection.execute(text("INSERT INTO users VALUES (1, 'x')"))
                transaction.prepare()
                connection.invalidate()

        def test_next():
            with Session(engine) as session:
                assert session.scalar(text("SELECT count(*) FROM pg_prepared_xacts")) == 0
                session.add(User(id=1, name="x"))
                session.commit()
            engine.dispose()
        """,
        f"--crucible-server={external.url(name)}",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning: The test left a prepared transaction.*"])
