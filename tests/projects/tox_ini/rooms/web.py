from datetime import date

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from rooms.orm import Booking

engine = create_engine("postgresql+psycopg://rooms:secret@db.rooms.invalid/rooms")
session_factory = sessionmaker(engine)


def get_session():
    with session_factory() as session:
        yield session


def create_app():
    app = FastAPI()

    @app.post("/rooms/{room}/{day}", status_code=201)
    def book(room: str, day: date, session: Session = Depends(get_session)):
        session.add(Booking(room, day))
        try:
            session.commit()
        except IntegrityError:
            raise HTTPException(409, "taken") from None

    @app.get("/rooms/{room}")
    def days(room: str, session: Session = Depends(get_session)):
        return [each.day for each in session.scalars(select(Booking).filter_by(room=room))]

    return app
