"""Suites on SQLite, as in the recipe of FastAPI's documentation: the engine is named, with what to do."""

from __future__ import annotations

import pytest

MAIN = """
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

engine = create_engine("postgresql+psycopg://shop:secret@db.invalid/shop")
SessionLocal = sessionmaker(engine)
app = FastAPI()


class Base(DeclarativeBase): ...


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)


def get_db():
    with SessionLocal() as session:
        yield session


@app.post("/items")
def add(db: Session = Depends(get_db)) -> int:
    db.add(item := Item())
    db.commit()
    return item.id
"""
CONFTEST = """
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import StaticPool

from main import Base, app, get_db

SQLALCHEMY_DATABASE_URL = "sqlite://"
engine = create_engine(
    SQLALCHEMY_DATABASE_URL,
    connect_args={"check_same_thread": False},
    poolclass=StaticPool,
)
TestingSessionLocal = sessionmaker(autocommit=False, autoflush=False, bind=engine)


def override_get_db():
    db = TestingSessionLocal()
    try:
        yield db
    finally:
        db.close()


app.dependency_overrides[get_db] = override_get_db


@pytest.fixture(autouse=True)
def setup_db():
    Base.metadata.create_all(bind=engine)
    yield
    Base.metadata.drop_all(bind=engine)


@pytest.fixture
def client():
    return TestClient(app)
"""
TESTS = """
def test_one(client):
    assert client.post("/items").json() == 1


def test_two(client):
    assert client.post("/items").json() == 1
"""
ARGUMENTS = """    connect_args={"check_same_thread": False},
    poolclass=StaticPool,
"""
SETUP = CONFTEST[CONFTEST.index("@pytest.fixture(autouse") : CONFTEST.index("@pytest.fixture\n")]
URL = "postgresql+psycopg://app@localhost/app"


@pytest.fixture
def project(copy):
    """Return a project with this suite."""
    project = copy()
    project.write(main_py=MAIN, tests__conftest_py=CONFTEST, tests__test_items_py=TESTS)
    project.write(pyproject_toml='[tool.pytest.ini_options]\npythonpath = ["."]\n')
    return project


def test_the_engine_is_named_first(project):
    """The next step names the engine; the list begins with it, its override and its arguments."""
    _, printed = project.init("--yes")
    assert "then mend the engine named first below" in printed
    assert "Until then the tests use SQLite and not PostgreSQL: tests/conftest.py:11" in printed
    lines = printed[printed.index("Crucible replaces these") :].splitlines()
    assert lines[1].startswith("  tests/conftest.py:11 engine: it speaks SQLite")
    assert f"Give it the URL {URL} without check_same_thread and poolclass=StaticPool" in lines[1]
    assert "Or delete it and the override of get_db (tests/conftest.py:27)" in lines[1]
    assert "setup_db: delete lines" in lines[2]
    _, printed = project.init("--yes")
    assert "Nothing to write, but the tests use SQLite" in printed


def test_an_engine_that_stays(project):
    """An engine is not named where the suite allows other dialects, or where a variable gives its URL."""
    project.write(tests__conftest_py=CONFTEST.replace('"sqlite://"', 'os.getenv("TEST_URL", "sqlite://")'))
    assert "SQLite" not in project.init("--yes")[1]
    project.write(tests__conftest_py=CONFTEST)
    options = '[tool.pytest.ini_options]\ncrucible_other_dialects = "allow"\n'
    project.write(pyproject_toml=options)
    assert "SQLite" not in project.init("--yes")[1]


@pytest.mark.slow
def test_the_advice_holds(project):
    """With another URL and without SQLite's arguments, and without what else is named, each step is green."""
    project.init("--yes", tried=True)
    project.write(tests__conftest_py=CONFTEST.replace("sqlite://", URL))
    with pytest.raises(AssertionError, match="check_same_thread is an argument of SQLite's driver"):
        project.pytest()
    moved = CONFTEST.replace("sqlite://", URL).replace(ARGUMENTS, "")
    project.write(tests__conftest_py=moved)
    assert "2 passed" in project.pytest()
    project.write(tests__conftest_py=moved.replace(SETUP, ""))
    assert "2 passed" in project.pytest()
    start, end = CONFTEST.index("SQLALCHEMY_DATABASE_URL"), CONFTEST.index("@pytest.fixture\n")
    project.write(tests__conftest_py=CONFTEST[:start] + CONFTEST[end:])
    assert "2 passed" in project.pytest()
