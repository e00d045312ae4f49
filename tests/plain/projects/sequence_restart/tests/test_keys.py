import pytest
from app import Invoice, Ticket, engine, run
from sqlalchemy.orm import Session


@pytest.mark.parametrize("n", range(3))
def test_first_keys(n):
    with Session(engine) as session:
        ticket, invoice = Ticket(), Invoice()
        session.add_all([ticket, invoice])
        session.commit()
        assert (ticket.id, invoice.id, invoice.number) == (1, 100, 5)


def test_restarted_elsewhere():
    run("ALTER SEQUENCE invoice_numbers RESTART WITH 50")
    assert run("SELECT nextval('invoice_numbers')") == [50]


def test_rolled_back():
    with Session(engine) as session:
        session.add(Ticket())
        session.flush()
        session.rollback()
        ticket = Ticket()
        session.add(ticket)
        session.commit()
        assert ticket.id == 2
