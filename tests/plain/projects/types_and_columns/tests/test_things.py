import pytest
from app import Colour, Thing, engine
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session


@pytest.mark.parametrize("n", range(3))
def test_defaults(n):
    with Session(engine) as session:
        thing = Thing(email="a@b", width=3)
        session.add(thing)
        session.commit()
        assert (thing.colour, thing.area, thing.tags, thing.data) == (Colour.red, 9, [], {})
        assert thing.between.lower == 1
        assert thing.made is not None


@pytest.mark.parametrize("values", [{"width": 0}, {"email": "nothing"}])
def test_checks(values):
    with Session(engine) as session:
        session.add(Thing(**{"email": "a@b", "width": 3, **values}))
        with pytest.raises(IntegrityError):
            session.commit()


def test_no_such_colour():
    with Session(engine) as session, pytest.raises(DBAPIError):
        session.execute(text("INSERT INTO things (email, width, colour) VALUES ('a@b', 1, 'green')"))


def test_json_and_arrays():
    with Session(engine) as session:
        session.add(Thing(email="a@b", width=1, tags=["x", "y"], data={"deep": {"n": 1}}, colour=Colour.blue))
        session.commit()
        assert session.scalar(select(Thing.email).where(Thing.data["deep"]["n"].as_integer() == 1)) == "a@b"
        assert session.scalar(select(Thing.email).where(Thing.tags.contains(["y"]))) == "a@b"


def test_empty():
    with Session(engine) as session:
        assert session.scalars(select(Thing)).all() == []
