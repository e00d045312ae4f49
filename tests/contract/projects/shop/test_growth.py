"""The statements of each operation that reads, before and after more rows are stored."""

from types import SimpleNamespace

import pytest
from lists import Author, Book
from pytest_crucible.contract import api_contract


@pytest.fixture
def books():
    return 2


async def more_authors(db_session, books):
    db_session.add_all(Author(books=[Book() for _ in range(books)]) for _ in range(10))
    await db_session.commit()


def more_authors_by_sync(sync_session):
    sync_session.add_all(Author(books=[Book()]) for _ in range(10))
    sync_session.commit()


async def uncommitted(db_session):
    db_session.add(Author())
    await db_session.flush()


async def nothing():
    pass


test_growth = api_contract(growth=more_authors, examples=20)
test_by_sync = api_contract(growth=more_authors_by_sync, exclude=["GET /[!l]*"])
test_uncommitted = api_contract(growth=uncommitted, exclude=["GET /[!o]*", "GET /only"])
test_nothing = api_contract(growth=nothing, exclude=["GET /[!o]*", "GET /only"])


@pytest.fixture
def test_user():
    return SimpleNamespace(name="ada")
