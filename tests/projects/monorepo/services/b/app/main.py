from decimal import Decimal

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from app.models import Invoice

engine = create_engine("postgresql+psycopg2://shop:secret@db.shop.invalid/billing")
SessionLocal = sessionmaker(engine)
app = FastAPI(title="Billing")


def get_db():
    with SessionLocal() as session:
        yield session


class InvoiceIn(BaseModel):
    amount: Decimal


@app.post("/invoices", status_code=201)
def create(data: InvoiceIn, db: Session = Depends(get_db)) -> int:
    invoice = Invoice(amount=data.amount)
    db.add(invoice)
    db.commit()
    return invoice.id


@app.get("/total")
def total(db: Session = Depends(get_db)) -> Decimal:
    return db.scalar(select(func.coalesce(func.sum(Invoice.amount), 0)))
