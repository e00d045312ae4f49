import pytest
from app import Invoice, as_tenant, engine
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError


def amounts(tenant):
    with as_tenant(tenant) as session:
        return session.scalars(select(Invoice.amount).order_by(Invoice.amount)).all()


@pytest.mark.parametrize("n", range(3))
def test_apart(n):
    with as_tenant("second") as session:
        session.add(Invoice(amount=7))
        session.commit()
    assert (amounts("first"), amounts("second")) == ([5], [7])


def test_refused():
    with as_tenant("second") as session, pytest.raises(DBAPIError, match="row-level security"):
        session.execute(insert(Invoice).values(tenant="first", amount=1))


def test_no_tenant():
    with engine.connect() as connection:
        assert connection.scalars(select(Invoice.amount)).all() == []
