"""Deferred constraints are checked where production checks them: the same programs, with and without rollback."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError


async def tried(what) -> str:
    """Return the outcome of an attempt."""
    try:
        await what
    except SQLAlchemyError as error:
        statement = getattr(error, "statement", None)
        constraint = str(getattr(error, "orig", error)).partition("constraint")[2].split("\n")[0]
        return f"{type(error).__name__} {statement} {constraint}".strip()
    return "done"


async def insert(session, table, **values):
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    await session.execute(text(f"insert into {table} ({names}) values ({places})"), values)


async def foreign_key(session, models):
    """Commit a row whose parent never comes."""
    session.add(models.Entry(id=1, account_id=7))
    yield await tried(session.flush())
    yield await tried(session.commit())
    await session.rollback()
    yield await session.scalar(text("select count(*) from entry"))


async def parent_comes_later(session, models):
    """Commit a row whose parent comes before the commit."""
    await insert(session, "entry", id=1, account_id=7)
    await insert(session, "account", id=7, name="late")
    yield await tried(session.commit())
    yield await session.scalar(text("select count(*) from entry"))


async def only_flushed_at_commit(session, models):
    """Leave the flush of the row to the commit."""
    session.add(models.Entry(id=1, account_id=7))
    yield await tried(session.commit())
    await session.rollback()


async def without_rollback(session, models):
    """Use a session after a commit that failed, without a rollback."""
    session.add(models.Account(id=1, name="a"))
    session.add(models.Entry(id=1, account_id=7))
    yield await tried(session.commit())
    yield await tried(session.execute(text("select 1")))
    yield await tried(session.commit())
    await session.rollback()
    yield await session.scalar(text("select count(*) from account"))


async def again_afterwards(session, models):
    """Start the next transaction from the initial modes: deferred is deferred again, immediate immediate."""
    await insert(session, "account", id=1, name="a", slot=1, rank=1)
    yield await tried(session.commit())
    yield await tried(insert(session, "account", id=2, name="b", slot=1))
    yield await tried(session.commit())
    await session.rollback()
    yield await tried(insert(session, "account", id=3, name="c", rank=1))
    await session.rollback()
    yield await session.scalar(text("select count(*) from account"))


async def set_by_the_application(session, models):
    """SET CONSTRAINTS of the application's holds until its commit, and no longer."""
    await session.execute(text("set constraints one_rank deferred"))
    await insert(session, "account", id=1, name="a", rank=1)
    await insert(session, "account", id=2, name="b", rank=1)
    await session.execute(text("update account set rank = 2 where id = 2"))
    yield await tried(session.commit())
    yield await tried(insert(session, "account", id=3, name="c", rank=1))
    await session.rollback()
    await session.execute(text("set constraints all immediate"))
    yield await tried(insert(session, "entry", id=1, account_id=99))
    await session.rollback()
    yield await tried(insert(session, "entry", id=1, account_id=99))
    await session.execute(text("delete from entry"))
    yield await tried(session.commit())


async def set_without_writing(session, models):
    """End a transaction that only sets a mode."""
    await session.execute(text("set constraints all immediate"))
    yield await tried(session.commit())
    yield await tried(insert(session, "entry", id=1, account_id=99))
    await session.rollback()


async def savepoints(session, models):
    """Releasing a savepoint checks nothing, in production as here."""
    async with session.begin_nested():
        await insert(session, "entry", id=1, account_id=7)
    yield "released"
    yield await tried(session.commit())
    await session.rollback()


async def commit_with_an_open_savepoint(session, models):
    """commit() within begin_nested() commits both."""
    await session.begin_nested()
    await insert(session, "entry", id=1, account_id=7)
    yield await tried(session.commit())
    await session.rollback()
    yield await session.scalar(text("select count(*) from entry"))


async def rolled_back_savepoint(session, models):
    """Take a row back by a savepoint, so that it is not checked."""
    nested = await session.begin_nested()
    await insert(session, "entry", id=1, account_id=7)
    await nested.rollback()
    yield await tried(session.commit())


async def begin_block(session, models):
    """`async with session.begin()` raises at its end."""

    async def block():
        async with session.begin():
            await insert(session, "entry", id=1, account_id=7)

    yield await tried(block())
    yield session.in_transaction()
    yield await session.scalar(text("select count(*) from entry"))


async def trigger(session, models):
    """Fire a deferred constraint trigger at commit, once, whose writes stay."""
    await session.execute(
        text(
            "create or replace function note() returns trigger language plpgsql as $$"
            " begin insert into plain (name) values (new.name); return null; end $$"
        )
    )
    await session.execute(
        text(
            "create constraint trigger noted after insert on account deferrable initially deferred"
            " for each row execute function note()"
        )
    )
    await session.commit()
    for name in "ab":
        await insert(session, "account", name=name)
        yield await session.scalar(text("select count(*) from plain"))
        await session.commit()
        yield await session.scalar(text("select count(*) from plain"))


PROGRAMS = [
    foreign_key,
    parent_comes_later,
    only_flushed_at_commit,
    without_rollback,
    again_afterwards,
    set_by_the_application,
    set_without_writing,
    savepoints,
    commit_with_an_open_savepoint,
    rolled_back_savepoint,
    begin_block,
    trigger,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_as_in_production(rolled_back, models, program):
    """The program sees the same in rollback isolation as with real commits."""

    async def body(session):
        return [step async for step in program(session, models)]

    real = rolled_back(body, isolation="reset")
    assert rolled_back(body) == real
    assert rolled_back(body) == real  # and once more: nothing is left


def test_the_error_is_that_of_the_commit(rolled_back, models):
    """IntegrityError names the constraint, and no statement that the application did not send."""

    async def body(session):
        session.add(models.Entry(id=1, account_id=7))
        with pytest.raises(IntegrityError, match="entry_account_id_fkey") as found:
            await session.commit()
        assert "SET CONSTRAINTS" not in str(found.value)
        assert getattr(found.value.orig, "sqlstate", None) == "23503"

    rolled_back(body)


def test_nothing_is_asked_for_a_commit_that_only_read(run, engine, rolled_back, models):
    """A commit after SELECTs costs what it costs without deferred constraints."""
    from sqlalchemy import event

    sent = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *words: sent.append(words[2]))

    async def body(session):
        await session.execute(text("select 1"))
        await session.commit()

    rolled_back(body)
    assert [statement.split()[0] for statement in sent] == ["SAVEPOINT", "select", "RELEASE"]
