"""The layer of tests on PostgreSQL: rows, and the models against the schema."""

from __future__ import annotations

from .subject import Subject, article


def rows(subject: Subject) -> str:
    """A module of fixtures: a row that several tests begin with."""
    row, name = subject.row, subject.row_name
    assert row is not None  # noqa: S101 # asked before
    session, kind = subject.session
    is_strict = subject.choices.runner == "asyncio" and subject.choices.strict
    decorator = "pytest_asyncio.fixture" if is_strict else "pytest.fixture"
    fixture = f'''\
@{decorator}
{subject.define} {name}({session}: {kind}) -> {row.name}:
    """{_sentence(name)}, committed."""
    {name} = {row.call}
    {session}.add({name})
    {subject.wait}{session}.commit()
    return {name}'''
    imports = [f"import {decorator.partition('.')[0]}", subject.session_import, subject.row_import, *row.imports]
    return subject.module("Rows that tests begin with; each is there for one test.", imports, fixture)


def factories(subject: Subject) -> str:
    """A module with a factory of rows with generated data."""
    row = subject.row
    assert row is not None  # noqa: S101 # asked before
    create = "create_sync" if subject.is_sync else "create_async"
    factory = f'''\
class {row.name}Factory(SQLAlchemyFactory[{row.name}]):
    """{_sentence(subject.row_name.removeprefix("stored_"))} with generated data; `{create}` stores it."""'''
    imports = ["from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory", subject.row_import]
    return subject.module("Factories of rows; what they draw is the same in every run of a test.", imports, factory)


def test_module(subject: Subject) -> str | None:
    """Tests of the schema, of a row, and of two transactions at once."""
    parts = [_tables(subject), _stored(subject), _generated(subject), _refused(subject)]
    found = [part for part in parts if part is not None]
    if not found:
        return None
    imports = ["import pytest", *(line for _, lines in found for line in lines)]
    return subject.module(
        "The models on PostgreSQL. What a test commits is put back after it.",
        imports,
        subject.marks("pytest.mark.integration", is_async=not subject.is_sync),
        *(text for text, _ in found),
    )


Part = tuple[str, list[str]]


def _tables(subject: Subject) -> Part | None:
    if subject.metadata is None:
        return None
    line, expression = subject.metadata
    session, kind = subject.session
    test = f'''\
{subject.define} test_all_tables_exist({session}: {kind}, subtests: pytest.Subtests):
    """The database has every table and column of the models."""
    for table in {expression}.sorted_tables:
        with subtests.test(table=table.fullname):
            {subject.wait}{session}.execute(select(table).limit(1))'''
    return test, ["from sqlalchemy import select", subject.session_import, line]


def _stored(subject: Subject) -> Part | None:
    row = subject.row
    if row is None:
        return None
    session, kind = subject.session
    column, value = next(iter(row.values.items()))
    imports = ["from sqlalchemy import select", subject.session_import, subject.row_import]
    if row.model.is_table:
        test = f'''\
{subject.define} test_a_row_of_{row.name}_is_stored({session}: {kind}):
    """What was committed is found by a query."""
    {subject.wait}{session}.execute(insert({row.name}).values({row.arguments}))
    {subject.wait}{session}.commit()
    stored = {_listed(subject, f"select({row.name}.c.{column})")}
    assert {value} in stored'''
        return test, [*imports, "from sqlalchemy import insert", *row.imports]
    name = subject.row_name
    test = f'''\
{subject.define} test_{article(name).replace(" ", "_")}_is_stored({session}: {kind}, {name}: {row.name}):
    """What was committed is found by a query."""
    stored = {_listed(subject, f"select({row.name}.{column})")}
    assert {name}.{column} in stored'''
    return test, imports


def _generated(subject: Subject) -> Part | None:
    row = subject.row
    if row is None or not subject.has_factories:
        return None
    session, kind = subject.session
    column = row.unique or next(iter(row.values))
    create = f"create_batch_{'sync' if subject.is_sync else 'async'}"
    test = f'''\
{subject.define} test_generated_rows_are_stored({session}: {kind}):
    """A factory stores with the session of the test."""
    made = {subject.wait}{row.name}Factory.{create}(3)
    stored = {_listed(subject, f"select({row.name}.{column})")}
    assert {{one.{column} for one in made}} <= set(stored)'''
    imports = ["from sqlalchemy import select", subject.session_import, subject.row_import]
    return test, [*imports, f"from {subject.package}.{subject.fixtures}.factories import {row.name}Factory"]


def _listed(subject: Subject, query: str) -> str:
    found = f"{subject.session[0]}.scalars({query})"
    return f"{found}.all()" if subject.is_sync else f"(await {found}).all()"


def _refused(subject: Subject) -> Part | None:
    """Two transactions at once, and the group of errors that a task group makes of the one that fails."""
    row = subject.row
    if row is None or row.unique is None or subject.is_sync or subject.shared or row.model.is_table:
        return None
    test = f'''\
async def test_of_two_at_once_one_is_refused(async_engine: AsyncEngine):
    """Two transactions insert the same {row.unique}: PostgreSQL lets one of them commit."""

    async def insert() -> None:
        async with AsyncSession(async_engine, expire_on_commit=False) as session:
            session.add({row.call})
            await session.commit()

    with pytest.RaisesGroup(IntegrityError):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(insert)
            tasks.start_soon(insert)'''
    imports = [
        "import anyio",
        "from sqlalchemy.exc import IntegrityError",
        "from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession",
        subject.row_import,
        *row.imports,
    ]
    return test, imports


def _sentence(name: str) -> str:
    words = article(name.replace("_", " "))
    return words[0].upper() + words[1:]
