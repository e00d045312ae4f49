import pytest
from app import Customer, Order, engine
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session


@pytest.mark.parametrize("n", range(3))
def test_order(n):
    with Session(engine) as session:
        customer = Customer(name="ann")
        session.add(customer)
        session.flush()
        session.add(Order(customer_id=customer.id))
        session.commit()
        assert session.scalar(select(func.count()).select_from(Order)) == 1
        assert session.scalar(text("SELECT count(*) FROM sales.customers")) == 1


def test_search_path():
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW search_path")) == "stock,public"


def test_empty():
    with Session(engine) as session:
        assert session.scalars(select(Order)).all() == session.scalars(select(Customer)).all() == []
