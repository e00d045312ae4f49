from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db import Base, get_db


class Task(Base):
    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    done: Mapped[bool] = mapped_column(default=False)


class TaskIn(BaseModel):
    title: str


app = FastAPI()


@app.get("/tasks")
def tasks(db: Session = Depends(get_db)):
    return [{"id": task.id, "title": task.title} for task in db.scalars(select(Task))]


@app.post("/tasks", status_code=201)
def add(task: TaskIn, db: Session = Depends(get_db)):
    row = Task(title=task.title)
    db.add(row)
    db.commit()
    return {"id": row.id}
