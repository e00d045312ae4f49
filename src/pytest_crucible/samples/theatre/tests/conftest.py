import pytest
from app.models import Show


@pytest.fixture
async def show(db_session):
    show = Show(title="The Tempest", free_seats=5)
    db_session.add(show)
    await db_session.commit()
    return show
