from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, delete
from sqlalchemy.orm import Session

from todo.config import DATABASE_URL
from todo.main import app
from todo.models import Task


@pytest.fixture(scope="session", autouse=True)
def migrated():
    root = Path(__file__).parents[1]
    config = Config(root / "alembic.ini")
    config.set_main_option("script_location", str(root / "alembic"))
    command.upgrade(config, "head")


@pytest.fixture(scope="session")
def engine(migrated):
    engine = create_engine(DATABASE_URL)
    yield engine
    engine.dispose()


@pytest.fixture
def db(engine):
    with Session(engine) as session:
        yield session
        session.rollback()
        session.execute(delete(Task))
        session.commit()


@pytest.fixture
def client(db):
    with TestClient(app) as client:
        yield client
