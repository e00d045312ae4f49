"""BackgroundTasks that write, a websocket through TestClient, and a response that streams rows."""

import os

from fastapi import BackgroundTasks, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=NullPool)


class Base(DeclarativeBase):
    pass


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


async def write(text):
    async with AsyncSession(engine) as session:
        session.add(Line(text=text))
        await session.commit()


async def lines():
    async with AsyncSession(engine) as session:
        return (await session.scalars(select(Line.text).order_by(Line.id))).all()


async def clear():
    async with engine.begin() as connection:
        await connection.execute(delete(Line))


app = FastAPI()


@app.post("/later/{text}", status_code=202)
async def later(text: str, background: BackgroundTasks):
    background.add_task(write, text)


@app.websocket("/ws")
async def talk(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await write(text)
        await socket.send_json(await lines())


@app.get("/stream")
async def stream():
    async def rows():
        async with AsyncSession(engine) as session:
            async for text in await session.stream_scalars(select(Line.text).order_by(Line.id)):
                yield f"{text}\n"

    return StreamingResponse(rows())
