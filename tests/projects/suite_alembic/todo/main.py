from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, sessionmaker

from todo.config import DATABASE_URL
from todo.models import Label, Task

engine = create_engine(DATABASE_URL)
SessionLocal = sessionmaker(engine)
app = FastAPI()


class TaskIn(BaseModel):
    title: str
    label: str | None = None


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


@app.get("/labels")
def labels(db: Session = Depends(get_db)):
    return db.scalars(select(Label.name).order_by(Label.name)).all()


@app.get("/tasks")
def tasks(db: Session = Depends(get_db)):
    return [task.title for task in db.scalars(select(Task).order_by(Task.id))]


@app.post("/tasks", status_code=201)
def add(data: TaskIn, db: Session = Depends(get_db)):
    if data.label and db.get(Label, data.label) is None:
        raise HTTPException(400, "unknown label")
    task = Task(**data.model_dump())
    db.add(task)
    db.commit()
    return task.id


@app.post("/tasks/{task_id}/done", status_code=204)
def done(task_id: int, db: Session = Depends(get_db)):
    task = db.get(Task, task_id)
    if task is None:
        raise HTTPException(404)
    task.done = True
    db.commit()
