from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy.orm import Session

import models
from database import SessionLocal, engine

models.Base.metadata.create_all(bind=engine)

app = FastAPI()


class UserCreate(BaseModel):
    email: str


# Dependency
def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


@app.post("/users/")
def create_user(user: UserCreate, db: Session = Depends(get_db)):
    if db.query(models.User).filter(models.User.email == user.email).first():
        raise HTTPException(status_code=400, detail="Email already registered")
    row = models.User(email=user.email)
    db.add(row)
    db.commit()
    db.refresh(row)
    return {"id": row.id, "email": row.email}


@app.get("/users/{user_id}")
def read_user(user_id: int, db: Session = Depends(get_db)):
    row = db.get(models.User, user_id)
    if row is None:
        raise HTTPException(status_code=404, detail="User not found")
    return {"id": row.id, "email": row.email}
