"""What a statement does, by its first word."""

import pytest

from pytest_crucible.isolation.rollback.statement_kinds import ends_transaction, is_ddl, savepoint_in, sets, writes


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (1)",
        " update t set x = 1",
        "-- why\nDELETE FROM t",
        "/* hint\n */ MERGE INTO t USING s ON true",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "COPY t FROM STDIN",
        "TRUNCATE t",
        "CREATE TABLE t ()",
        "CALL p()",
        "DO $$ begin end $$",
    ],
)
def test_what_writes(statement):
    """Whatever may leave rows or a schema behind."""
    assert writes(statement)
    assert not ends_transaction(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "SELECT 1",
        "(SELECT 1) UNION (SELECT 2)",
        "/* a */ -- b\n select 1",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SET LOCAL a.b = 'x'",
        "SAVEPOINT s",
        "RELEASE s",
        "ROLLBACK TO SAVEPOINT s",
        "PREPARE q AS SELECT 1",
    ],
)
def test_what_only_reads(statement):
    """Whatever leaves nothing, and ends nothing."""
    assert not writes(statement) or not statement
    assert not ends_transaction(statement)


@pytest.mark.parametrize(
    "statement", ["COMMIT", "rollback", "/* x */ END", "ABORT", "ROLLBACK WORK", "PREPARE TRANSACTION 'x'"]
)
def test_what_ends_a_transaction(statement):
    """Whatever ends the whole of it."""
    assert ends_transaction(statement)


def test_the_rest():
    """Savepoints have names, modes are set, a schema is changed."""
    assert savepoint_in('SAVEPOINT "a_1";') == "a_1"
    assert savepoint_in("RELEASE SAVEPOINT a") is None
    assert sets("set constraints all deferred")
    assert is_ddl("alter table t add x int")
    assert not is_ddl("select 'create'")
