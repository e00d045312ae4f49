from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from notes.db import Note, Notebook, get_session

app = FastAPI()
Session = Annotated[AsyncSession, Depends(get_session)]


@app.post("/notebooks/{name}", status_code=201)
async def create_notebook(name: str, session: Session) -> int:
    notebook = Notebook(name=name)
    session.add(notebook)
    try:
        await session.commit()
    except IntegrityError:
        await session.rollback()
        raise HTTPException(409) from None
    return notebook.id


@app.post("/notebooks/{name}/notes/{title}", status_code=201)
async def add_note(name: str, title: str, session: Session) -> int:
    notebook = await session.scalar(select(Notebook).filter_by(name=name))
    if notebook is None:
        raise HTTPException(404)
    note = Note(notebook_id=notebook.id, title=title)
    session.add(note)
    try:
        await session.commit()
    except IntegrityError:
        await session.rollback()
        raise HTTPException(409) from None
    return note.id


@app.get("/notebooks/{name}")
async def titles(name: str, session: Session) -> list[str]:
    query = select(Note.title).join(Notebook).where(Notebook.name == name).order_by(Note.title)
    return list(await session.scalars(query))
