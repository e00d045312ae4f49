import pytest
from app import Hive
from sqlalchemy import func, select, text


@pytest.mark.parametrize("n", range(3))
def test_client(n, client):
    assert client.post("/hives").json() == 1
    assert client.post("/hives").json() == 2


@pytest.mark.parametrize("n", range(2))
def test_session(n, session):
    session.add(Hive())
    session.commit()
    assert session.scalar(select(func.count()).select_from(Hive)) == 1


def test_ddl(session):
    session.execute(text("ALTER TABLE hives ADD COLUMN note text"))
    session.commit()
    session.execute(text("ALTER TABLE hives DROP COLUMN note"))
    session.commit()


def test_role(session):
    assert session.scalar(text("SELECT current_user")) == "tester"
