"""Shows, and the seats that are sold."""

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The base of all models."""


class Show(Base):
    """A show with a number of seats."""

    __tablename__ = "shows"
    __table_args__ = (CheckConstraint("free_seats >= 0", name="no_seat_is_sold_twice"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(100))
    free_seats: Mapped[int]


class Booking(Base):
    """A seat that is sold."""

    __tablename__ = "bookings"

    id: Mapped[int] = mapped_column(primary_key=True)
    show_id: Mapped[int] = mapped_column(ForeignKey("shows.id"))
    name: Mapped[str] = mapped_column(String(100))
