"""Row-level security, forced on the owner as well, with the tenant in a setting of the transaction."""

import os

from sqlalchemy import DDL, create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(server_default=text("current_setting('app.tenant', true)"))
    amount: Mapped[int]


event.listen(
    Invoice.__table__,
    "after_create",
    DDL("""
    ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
    ALTER TABLE invoices FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON invoices USING (tenant = current_setting('app.tenant', true));
    """),
)


def as_tenant(name):
    session = Session(engine)
    session.execute(text("SELECT set_config('app.tenant', :name, true)"), {"name": name})
    return session
