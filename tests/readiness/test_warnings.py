"""Crucible's own code raises no warning, where all of them are errors."""

from __future__ import annotations

import pytest

# As the project's own application, with two tables that refer to each other.
CYCLE = """
from fastapi import Depends, FastAPI
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine("postgresql+asyncpg://app:secret@db.production.invalid/app")
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "teams"
    id: Mapped[int] = mapped_column(primary_key=True)
    captain_id: Mapped[int | None] = mapped_column(ForeignKey("players.id"), index=True)


class Player(Base):
    __tablename__ = "players"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"), index=True)


async def get_db():
    async with Session() as session:
        yield session


app = FastAPI()


@app.post("/teams")
async def create(db: AsyncSession = Depends(get_db)):
    team = Team()
    db.add(team)
    await db.flush()
    captain = Player(team_id=team.id)
    db.add(captain)
    await db.flush()
    team.captain_id = captain.id
    await db.commit()
    return team.id
"""
TESTS = """
    import pytest
    from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
    from pytest_crucible.recipes.alembic.autogenerate import compare
    from sqlalchemy import func, select, text
    from CYCLE import Base, Player, Team

    class TeamFactory(SQLAlchemyFactory[Team]):
        captain_id = None

    @pytest.fixture(scope="module", autouse=True)
    def layer(crucible_run):
        with crucible_run.sessions.sync_engine.begin() as connection:
            connection.execute(text("INSERT INTO teams DEFAULT VALUES"))

    async def test_client(async_client, db_session, query_log):
        assert (await async_client.post("/teams")).status_code == 200
        assert await db_session.scalar(select(func.count()).select_from(Team)) == 2
        assert query_log.count

    async def test_factory(db_session):
        team = await TeamFactory.create_async()
        assert await db_session.get(Team, team.id)

    def test_sync(sync_session, database_url):
        sync_session.add(Team())
        sync_session.commit()
        assert sync_session.scalar(select(func.count()).select_from(Team)) == 2

    def test_schema_change(sync_session):
        sync_session.execute(text("ALTER TABLE teams ADD name text"))
        sync_session.commit()

    def test_models_match(sync_session):
        assert compare(sync_session.connection(), [Base.metadata]) == ""
"""


@pytest.mark.parametrize(
    "isolation",
    ["reset", pytest.param("rollback", marks=pytest.mark.slow), pytest.param("clone", marks=pytest.mark.slow)],
)
def test_foreign_keys_in_a_cycle(project, numbers, isolation):
    """Templates, sessions, clients, factories, layers, clones and comparisons of a schema with a cycle."""
    name = f"cycle{numbers()}"
    (project.root / f"{name}.py").write_text(CYCLE)
    tests = TESTS.replace("CYCLE", name)
    options = [f"--crucible-app={name}:app", f"--crucible-metadata={name}:Base", f"--crucible-isolation={isolation}"]
    if isolation == "rollback":
        options += ["-k", "not schema_change", f"--crucible-get-session={name}:get_db"]
    project.run(tests, *options, "-W", "error").assert_outcomes(
        passed=5 - (isolation == "rollback"), deselected=int(isolation == "rollback")
    )
