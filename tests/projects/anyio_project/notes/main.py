from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from notes.tables import notes

engine = create_async_engine("postgresql+asyncpg://notes:secret@db.notes.invalid/notes")


async def index(request):
    async with engine.connect() as connection:
        rows = await connection.execute(select(notes))
        return JSONResponse([{"id": row.id, "text": row.text} for row in rows])


async def add(request):
    body = await request.json()
    async with engine.begin() as connection:
        key = await connection.scalar(insert(notes).values(text=body["text"]).returning(notes.c.id))
    return JSONResponse({"id": key}, 201)


app = Starlette(routes=[Route("/notes", index), Route("/notes", add, methods=["POST"])])
