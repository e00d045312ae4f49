"""A leak: a transaction that a test leaves open keeps its locks. Crucible rolls it back, and says where it began."""

from app.database import Session
from app.models import Show
from sqlalchemy import func, select

forgotten = []


async def test_writes_and_forgets_to_commit():
    session = Session()
    forgotten.append(session)
    session.add(Show(title="Hamlet", free_seats=1))
    await session.flush()


async def test_the_next_one_is_not_disturbed(db_session):
    assert await db_session.scalar(select(func.count()).select_from(Show)) == 0
