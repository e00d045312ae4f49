import threading

import pytest
from app import Author, AuthorFactory, Book, BookFactory, Session
from sqlalchemy import func, select


def count(model):
    return Session.scalar(select(func.count()).select_from(model))


@pytest.mark.parametrize("n", range(3))
def test_committed(n):
    AuthorFactory.create(name="same")
    assert count(Author) == 1


@pytest.mark.parametrize("n", range(3))
def test_flushed(n):
    book = BookFactory.create()
    assert book.author.books == [book]
    assert count(Book) == 1


def test_another_thread_has_a_session_of_its_own():
    AuthorFactory.create(name="here")
    seen = []

    def look():
        seen.append(count(Author))
        Session.remove()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [1]


def test_empty():
    assert count(Author) == count(Book) == 0
