import pytest
from app import Audit, Person, Session, sent
from sqlalchemy import select


@pytest.fixture(autouse=True)
def nothing_sent():
    sent.clear()


@pytest.mark.parametrize("n", range(2))
def test_commit(n):
    with Session() as session:
        session.add(Person(name="ann"))
        session.commit()
        assert session.scalars(select(Audit.text)).all() == ["new ann"]
    assert sent == ["committed"]


@pytest.mark.parametrize("n", range(2))
def test_rollback(n):
    with Session() as session:
        session.add(Person(name="ann"))
        session.flush()
        session.rollback()
        assert session.scalars(select(Audit.text)).all() == []
    assert sent == ["rolled back"]


def test_version():
    with Session.begin() as session:
        person = Person(name="ann")
        session.add(person)
        session.flush()
        person.name = "bob"
        session.flush()
        assert person.version == 2
    assert sent == ["committed"]


def test_left_open_by_a_reader():
    session = Session()
    assert session.scalars(select(Person)).all() == []
    session.close()
    assert sent == []
