import pytest
from app import Animal, Cat, Dog, engine
from sqlalchemy import select
from sqlalchemy.orm import Session


@pytest.fixture(scope="class")
def reader():
    with Session(engine) as session:
        yield session


class TestAnimals:
    @pytest.mark.parametrize("n", range(3))
    def test_both(self, n, reader):
        with Session(engine) as session:
            session.add_all([Dog(breed="collie"), Cat(lives=9)])
            session.commit()
        found = reader.scalars(select(Animal).order_by(Animal.id)).all()
        assert [type(animal) for animal in found] == [Dog, Cat]
        assert (found[0].breed, found[1].lives) == ("collie", 9)
        reader.expunge_all()

    def test_one_kind(self, reader):
        with Session(engine) as session:
            session.add_all([Dog(breed="collie"), Cat(lives=9)])
            session.commit()
        assert [cat.lives for cat in reader.scalars(select(Cat))] == [9]
        reader.expunge_all()

    def test_none(self, reader):
        assert reader.scalars(select(Animal)).all() == []
