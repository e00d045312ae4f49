"""The application over HTTP: an insert whose unique violation becomes an error, and its repaired twin."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException
from models import Session, UniqueTag
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

app = FastAPI()


@app.post("/tags")
async def create(name: str) -> None:
    async with Session() as session:
        if await session.scalar(select(UniqueTag).where(UniqueTag.name == name)) is not None:
            raise HTTPException(409)
        session.add(UniqueTag(name=name))
        await session.commit()


@app.post("/careful/tags")
async def create_carefully(name: str) -> None:
    try:
        await create(name)
    except IntegrityError as error:
        raise HTTPException(409) from error
