from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from sqlmodel import Session, select

from app.db import create_tables, get_session
from app.models import Hero, HeroBase, HeroPublic


@asynccontextmanager
async def lifespan(app: FastAPI):
    create_tables()
    yield


router = APIRouter(prefix="/heroes", tags=["heroes"])


@router.get("", response_model=list[HeroPublic])
def read_heroes(*, session: Session = Depends(get_session), limit: int = 100):
    return session.exec(select(Hero).limit(limit)).all()


@router.get("/{hero_id}", response_model=HeroPublic)
def read_hero(hero_id: int, session: Session = Depends(get_session)):
    hero = session.get(Hero, hero_id)
    if hero is None:
        raise HTTPException(404)
    return hero


@router.post("", response_model=HeroPublic)
def create_hero(hero: HeroBase, session: Session = Depends(get_session)):
    row = Hero.model_validate(hero)
    session.add(row)
    session.commit()
    session.refresh(row)
    return row


app = FastAPI(lifespan=lifespan)
app.include_router(router, prefix="/api")
