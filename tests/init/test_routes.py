"""The page that the first test asks for is one that surely answers."""

import pytest

from pytest_crucible.cli.scaffold.routes import Route, simplest
from pytest_crucible.project import find, read

HEAD = """
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from elsewhere import service
from models import Thing


def get_db():
    with Session() as session:
        yield session


def get_user(): ...


Database = Annotated[Session, Depends(get_db)]
router = APIRouter(prefix="/inner")
app = FastAPI()
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def route(copy, text: str, head: str = HEAD) -> Route:
    project = copy()
    project.write(models_py=MODELS, main_py=head + text)
    finds = find(read(project.root))
    return simplest(finds, finds.applications[0])


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("@app.get('/a')\ndef a(): return {'x': [1]}\n", "/a"),
        ("@app.get(path='/a')\nasync def a(db: Database): return [t.id for t in db.scalars(select(Thing))]\n", "/a"),
        (
            "@app.get('/a')\ndef a(*, db: Session = Depends(get_db), n: int = 3): return db.query(Thing).all()\n",
            "/a",
        ),
        ("@app.get('/a')\ndef a(request: Request): return str(request.url)\n", "/a"),
        ("@router.get('/a')\ndef a(): return 1\napp.include_router(router, prefix='/outer')\n", "/outer/inner/a"),
        ("@app.get('/a/{n}')\ndef a(n: int): return n\n@app.get('/b')\ndef b(): return 1\n", "/b"),
    ],
)
def test_a_route_that_surely_answers(copy, text: str, path: str):
    """A GET route is taken that asks for nothing but a session, under the prefixes of its routers."""
    assert route(copy, text) == Route(path)


@pytest.mark.parametrize(
    "text",
    [
        "@app.get('/a')\ndef a(user=Depends(get_user)): return 1\n",
        "@app.get('/a')\ndef a(n: int): return n\n",
        "@app.get('/a', dependencies=[Depends(get_user)])\ndef a(): return 1\n",
        "@app.get('/a')\ndef a(): raise HTTPException(404)\n",
        "@app.get('/a')\ndef a(): return service.call()\n",
        "@app.get('/a')\ndef a(): return service()\n",
        "@app.post('/a')\ndef a(): return 1\n",
        "@router.get('/a')\ndef a(): return 1\n",
        "@router.get('/a')\ndef a(): return 1\napp.include_router(router, dependencies=[Depends(get_user)])\n",
    ],
)
def test_a_route_of_which_that_is_not_certain(copy, text: str):
    """Users, parameters, errors and other services: the OpenAPI document is asked for instead."""
    assert route(copy, text) == Route("/openapi.json")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("FastAPI(dependencies=[Depends(get_user)])", Route("/openapi.json")),
        ("FastAPI(openapi_url='/v1/openapi.json', dependencies=[Depends(get_user)])", Route("/v1/openapi.json")),
        ("FastAPI(openapi_url=None, dependencies=[Depends(get_user)])", Route("/there/is/no/such/page", 404)),
        ("FastAPI(openapi_url=service.url, dependencies=[])", Route("app.openapi_url", is_expression=True)),
    ],
)
def test_where_the_document_is(copy, call: str, expected: Route):
    """The OpenAPI document is where the application puts it; without one, a page is asked for that is not there."""
    assert route(copy, "@app.get('/a')\ndef a(): return 1\n", HEAD.replace("FastAPI()", call)) == expected
