from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Label(Base):
    __tablename__ = "labels"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)


class Task(Base):
    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    done: Mapped[bool] = mapped_column(server_default=false())
    label: Mapped[str | None] = mapped_column(ForeignKey("labels.name"))
