"""Registration, login, and the current user."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.security import OAuth2PasswordRequestForm

from ledger import users
from ledger.audit import RequestAudit
from ledger.database import RequestSession
from ledger.dependencies import CurrentUser
from ledger.models import User
from ledger.schemas import Registration, TokenOut, UserOut
from ledger.security import create_access_token

router = APIRouter(tags=["users"])


@router.post("/users", status_code=201, response_model=UserOut)
async def register(wish: Registration, session: RequestSession, audit: RequestAudit) -> User:
    user = await users.register(session, wish)
    await session.commit()
    audit(user, "user.registered")
    return user


@router.post("/token")
async def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], session: RequestSession) -> TokenOut:
    user = await users.log_in(session, form.username, form.password)
    return TokenOut(access_token=create_access_token(user.id))


@router.get("/me", response_model=UserOut)
async def me(user: CurrentUser) -> User:
    return user
