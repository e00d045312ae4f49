"""LISTEN and NOTIFY over the drivers' own connections: a trigger that notifies, and a listening thread of a fixture."""

import os

import select
import threading

from sqlalchemy import DDL, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


event.listen(
    Order.__table__,
    "after_create",
    DDL("""
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_notify('orders', NEW.item); RETURN NULL; END $$;
    CREATE TRIGGER tell AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION tell();
    """),
)


class Listener(threading.Thread):
    def __init__(self):
        super().__init__()
        self.heard = []
        self.ready = threading.Event()
        self.stop = threading.Event()

    def run(self):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("LISTEN orders")
            raw = connection.connection.driver_connection
            self.ready.set()
            while not self.stop.is_set():
                if engine.driver == "psycopg":
                    self.heard += [notification.payload for notification in raw.notifies(timeout=0.02)]
                elif select.select([raw], [], [], 0.02)[0]:
                    raw.poll()
                    self.heard += [notification.payload for notification in raw.notifies]
                    raw.notifies.clear()
            connection.exec_driver_sql("UNLISTEN *")
