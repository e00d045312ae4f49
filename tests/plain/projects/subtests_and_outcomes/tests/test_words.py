import unittest

import pytest
from app import Word, engine
from sqlalchemy import func, select
from sqlalchemy.orm import Session


def count():
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Word))


def add(text):
    with Session(engine) as session:
        session.add(Word(text=text))
        session.commit()


def test_subtests(subtests):
    for n in range(4):
        with subtests.test(n=n):
            add(f"word {n}")
            assert count() == n + 1


class TestUnittest(unittest.TestCase):
    def test_subtests(self):
        for n in range(3):
            with self.subTest(n=n):
                add(f"word {n}")
                self.assertEqual(count(), n + 1)


@pytest.mark.xfail(strict=True)
def test_expected_failure():
    with Session(engine) as session:
        session.add_all([Word(text="a"), Word(text="a")])
        session.commit()


@pytest.mark.xfail(raises=AssertionError)
def test_expected_after_a_commit():
    add("a")
    assert count() == 2


@pytest.fixture
def skipping():
    add("before")
    pytest.skip("after it has written")


def test_skipped(skipping):
    pass


@pytest.mark.skip(reason="never")
def test_never():
    pass


def test_empty():
    assert count() == 0
