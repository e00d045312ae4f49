import pytest
from app import Task, engine
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def leader(tables):
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_lock(42)")
        connection.commit()
        yield connection
        connection.exec_driver_sql("SELECT pg_advisory_unlock(42)")
        connection.commit()


def free(key):
    with engine.connect() as connection:
        taken = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({key})").scalar()
        if taken:
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({key})")
        connection.commit()
        return taken


@pytest.mark.parametrize("n", range(3))
def test_the_leader_holds_it(n, leader):
    assert not free(42)
    with Session(engine) as session:
        session.add(Task())
        session.commit()


@pytest.mark.parametrize("n", range(2))
def test_of_a_transaction(n, leader):
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7)")
        assert not free(7)
    assert free(7)


def test_the_leader_writes(leader):
    leader.exec_driver_sql("INSERT INTO tasks DEFAULT VALUES")
    leader.commit()
    assert leader.exec_driver_sql("SELECT count(*) FROM tasks").scalar() == 1
    leader.commit()
