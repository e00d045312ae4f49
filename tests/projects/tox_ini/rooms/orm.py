from sqlalchemy import Column, Date, Integer, MetaData, String, Table, UniqueConstraint
from sqlalchemy.orm import registry

metadata = MetaData()
mapper_registry = registry(metadata=metadata)

bookings = Table(
    "bookings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("room", String(20), nullable=False),
    Column("day", Date, nullable=False),
    UniqueConstraint("room", "day"),
)


class Booking:
    def __init__(self, room, day):
        self.room = room
        self.day = day


mapper_registry.map_imperatively(Booking, bookings)
