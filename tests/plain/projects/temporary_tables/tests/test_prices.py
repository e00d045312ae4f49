import pytest
from app import engine


@pytest.mark.parametrize("n", range(2))
def test_of_a_session(n):
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE staged (amount int)")
        connection.exec_driver_sql("INSERT INTO staged VALUES (1), (2)")
        connection.commit()
        connection.exec_driver_sql("INSERT INTO prices (amount) SELECT amount FROM staged")
        connection.commit()
        assert connection.exec_driver_sql("SELECT sum(amount) FROM prices").scalar() == 3
        connection.exec_driver_sql("DROP TABLE staged")
        connection.commit()


@pytest.mark.parametrize("n", range(2))
def test_on_commit_drop(n):
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE staged (amount int) ON COMMIT DROP")
        connection.exec_driver_sql("INSERT INTO staged VALUES (5)")
        connection.exec_driver_sql("INSERT INTO prices (amount) SELECT amount FROM staged")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT to_regclass('staged')").scalar() is None
        assert connection.exec_driver_sql("SELECT amount FROM prices").scalars().all() == [5]


def test_hides():
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE prices (LIKE prices)")
        connection.exec_driver_sql("INSERT INTO prices VALUES (1, 1)")
        assert connection.exec_driver_sql("SELECT count(*) FROM public.prices").scalar() == 0
        connection.rollback()


def test_empty():
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM prices").scalar() == 0
