from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from bookshop.config import alchemy
from bookshop.services import AuthorService

app = FastAPI(title="Bookshop")
alchemy.init_app(app)

Session = Annotated[AsyncSession, Depends(alchemy.provide_session())]


async def provide_authors(session: Session) -> AsyncIterator[AuthorService]:
    async with AuthorService.new(session=session) as service:
        yield service


Authors = Annotated[AuthorService, Depends(provide_authors)]


class AuthorIn(BaseModel):
    name: str


class AuthorOut(BaseModel):
    id: UUID
    name: str


@app.get("/authors")
async def list_authors(authors: Authors) -> list[AuthorOut]:
    return [AuthorOut(id=each.id, name=each.name) for each in await authors.list()]


@app.post("/authors", status_code=201)
async def create_author(data: AuthorIn, authors: Authors) -> AuthorOut:
    author = await authors.create(data.model_dump())
    return AuthorOut(id=author.id, name=author.name)
