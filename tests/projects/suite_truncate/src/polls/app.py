from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from polls.models import Choice, Poll
from polls.settings import settings


class PollIn(BaseModel):
    question: str
    choices: list[str]


async def get_session(request: Request):
    async with request.app.state.sessions() as session:
        yield session


def create_app(sessions=None):
    @asynccontextmanager
    async def lifespan(app):
        engine = create_async_engine(settings.database_url)
        app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    app.state.sessions = sessions

    @app.post("/polls", status_code=201)
    async def create(data: PollIn, session: AsyncSession = Depends(get_session)):
        poll = Poll(question=data.question, choices=[Choice(text=text) for text in data.choices])
        session.add(poll)
        await session.commit()
        return {"id": poll.id, "choices": [choice.id for choice in poll.choices]}

    async def count(choice_id: int):
        async with app.state.sessions.begin() as session:
            query = update(Choice).where(Choice.id == choice_id)
            await session.execute(query.values(votes=Choice.votes + 1))

    @app.post("/choices/{choice_id}/vote", status_code=202)
    async def vote(choice_id: int, later: BackgroundTasks, session: AsyncSession = Depends(get_session)):
        if await session.get(Choice, choice_id) is None:
            raise HTTPException(404)
        later.add_task(count, choice_id)

    @app.get("/polls/{poll_id}")
    async def result(poll_id: int, session: AsyncSession = Depends(get_session)):
        query = select(Choice.text, Choice.votes).where(Choice.poll_id == poll_id)
        return {text: votes for text, votes in await session.execute(query)}

    return app
