"""Requests that get past validation: what a route takes is made up from its types."""

import asyncio
import enum
import inspect
import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pytest
from fastapi import Body, Cookie, Depends, FastAPI, File, Form, Header, HTTPException, Path, Query, UploadFile
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field, RootModel, TypeAdapter

from pytest_crucible.auth import check_routes, routes_of
from pytest_crucible.auth.matrix.example_values import smallest
from pytest_crucible.auth.matrix.requests import request_for


class Colour(enum.Enum):
    RED = "red"


class Item(BaseModel):
    name: str = Field(min_length=3, pattern="^[A-Z]+$")
    price: int = Field(gt=10, multiple_of=4)
    tags: list[Literal["new"]] = Field(min_length=2)
    parent: Optional["Item"] = None
    bought: date
    note: str = "default"


class Filter(BaseModel):
    limit: int = Field(ge=1, le=5)
    page: int = 1


class Tree(BaseModel):
    children: list["Tree"] = Field(min_length=1, max_length=1)


PARAMETERS = {
    "number in the path": ("/{a}", {"a": (int, Path(ge=5))}),
    "uuid": ("/{a}", {"a": (uuid.UUID, Path())}),
    "enum": ("/{a}", {"a": (Colour, Path())}),
    "path": ("/{a:path}", {"a": (str, Path())}),
    "pattern": ("/{a}", {"a": (str, Path(pattern=r"^\d{4}-[A-F]{2}$"))}),
    "example": ("/{a}", {"a": (str, Path(examples=["of the author"]))}),
    "openapi example": ("/", {"a": (str, Query(openapi_examples={"one": {"value": "of the author"}}))}),
    "float": ("/", {"a": (float, Query(lt=0))}),
    "list": ("/", {"a": (list[int], Query(min_length=2))}),
    "model of parameters": ("/", {"a": (Filter, Query())}),
    "header": ("/", {"a": (str, Header(alias="X-Tenant"))}),
    "cookie": ("/", {"a": (int, Cookie())}),
    "body": ("/", {"a": (Item, Body())}),
    "bodies": ("/", {"a": (Item, Body(embed=True)), "b": (bool, Body())}),
    "root": ("/", {"a": (RootModel[dict[str, int]], Body())}),
    "form": ("/", {"a": (str, Form(min_length=2)), "b": (int, Form())}),
    "file": ("/", {"a": (UploadFile, File()), "b": (str, Form())}),
    "long": ("/", {"a": (str, Query(min_length=40))}),
    "optional": ("/", {"a": (int | None, Query())}),
}


@pytest.mark.parametrize(("path", "parameters"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_are_filled_in(path: str, parameters: dict[str, Any]):
    """A request with made-up values gets past validation, so that the credentials are looked at."""
    seen: list[Any] = []

    def endpoint(credential: Annotated[Any, Depends(HTTPBearer(auto_error=False))], **given: Any) -> None:
        seen.append(given)
        if credential is None or credential.credentials != "good":
            raise HTTPException(401)

    taken = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, how])
        for name, (kind, how) in parameters.items()
    ]
    first = next(iter(inspect.signature(endpoint).parameters.values()))
    endpoint.__signature__ = inspect.Signature([first, *taken])  # type: ignore[attr-defined]
    app = FastAPI(openapi_url=None)
    app.post(path)(endpoint)
    assert asyncio.run(check_routes(app, {"malformed": "bad"})) == []
    assert [set(given) for given in seen] == [set(parameters)] * 2


def test_a_model_that_contains_itself():
    """A model without an end gets a request all the same."""
    app = FastAPI(openapi_url=None)

    @app.post("/tree")
    async def tree(tree: Tree) -> None: ...

    assert request_for(routes_of(app)[0]).body["json"]["children"]


TYPES = [
    *(int, str, bool, float, date, datetime, timedelta, Decimal, uuid.UUID, bytes, dict, list, Item, Filter, Colour),
    *(list[Item], dict[str, Filter], tuple[int, str], int | None, Literal["a", 2], set[int], Any),
    Annotated[int, Field(gt=-3, lt=-1)],
    Annotated[float, Field(ge=0.5, le=0.75)],
    Annotated[int, Field(lt=-7, multiple_of=5)],
    Annotated[list[str], Field(min_length=3)],
    Annotated[str, Field(min_length=7, max_length=7)],
    Annotated[str, Field(pattern=r"^[a-z]{3}-\d+$")],
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_the_smallest_value_is_valid(kind: Any):
    """What is made up for a type's schema is valid by that schema, and by the type itself."""
    adapter = TypeAdapter(kind)
    adapter.validate_json(adapter.dump_json(adapter.validate_python(smallest(adapter.json_schema()))))
