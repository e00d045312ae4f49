"""Applications with users, and their matrices."""

from __future__ import annotations

import importlib
import itertools
import re
import textwrap

import pytest

# Imported before the first run inside: what is written in Rust can be imported only once in a process.
MODULES = """
cryptography.hazmat.primitives.asymmetric.rsa itsdangerous jwt starlette.middleware.sessions pydantic
pytest_crucible.auth pytest_crucible.fixtures.route_matrix
"""
for name in MODULES.split():
    importlib.import_module(name)

NUMBERS = itertools.count(1)

SERVICE = """
import json
from datetime import datetime, timedelta, timezone

import jwt
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, HTTPException, Query, Request, WebSocket, status
from fastapi import WebSocketException
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBearer, OAuth2PasswordBearer
from sqlalchemy import select
from app import Session, User, get_db

KEY = "a key that is long enough for this algorithm"
oauth2 = OAuth2PasswordBearer(tokenUrl="token")


def create_access_token(user_id: int, expires_delta: timedelta = timedelta(hours=1)) -> str:
    return jwt.encode({"sub": str(user_id), "exp": datetime.now(timezone.utc) + expires_delta}, KEY)


async def user_of(token, **options):
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"], options=options)
    except jwt.InvalidTokenError:
        raise HTTPException(401) from None
    async with Session() as session:
        user = await session.get(User, int(claims["sub"]))
    if user is None:
        raise HTTPException(401)
    return user


async def current_user(token: str = Depends(oauth2)):
    return await user_of(token)


app = FastAPI(openapi_url=None)


@app.get("/me")
async def me(user=Depends(current_user)):
    return user.name
"""

CONFTEST = """
import pytest
from app import User

@pytest.fixture
async def test_user(db_session):
    user = User(name="ada")
    db_session.add(user)
    await db_session.commit()
    return user
"""


class Secured:
    """Runs tests on the application above and what is added to it."""

    def __init__(self, project) -> None:
        self._project = project

    def __call__(
        self,
        more: str,
        tests: str,
        *arguments: str,
        mint: str | None = "create_access_token",
        user: str = CONFTEST,
        application: str = "app",
    ) -> pytest.RunResult:
        name = f"service_{next(NUMBERS)}"
        (self._project.root / f"{name}.py").write_text(SERVICE + textwrap.dedent(more), "utf-8")
        token = [f"--crucible-access-token={name}:{mint}"] if mint else []
        tests = textwrap.dedent(user) + textwrap.dedent(tests).replace("SERVICE", name)
        return self._project.run(tests, f"--crucible-app={name}:{application}", *token, *arguments)

    @staticmethod
    def failed(result: pytest.RunResult) -> set[str]:
        """Return the parts in brackets of the tests that failed."""
        return set(re.findall(r"^(?:FAILED|ERROR) .*?\[(.*?)\](?: - |$)", result.stdout.str(), re.MULTILINE))


@pytest.fixture
def secured(project) -> Secured:
    """Return an application with users, in a project of its own."""
    return Secured(project)
