"""The user who sends the request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.database import RequestSession
from ledger.errors import NotAuthenticated
from ledger.models import User
from ledger.security import read_access_token

oauth2 = OAuth2PasswordBearer(tokenUrl="/token")


async def user_of_token(session: AsyncSession, token: str) -> User:
    """Return the user whom a valid token names, if they still exist."""
    user = await session.get(User, read_access_token(token))
    if user is None:
        raise NotAuthenticated("the access token is not valid")
    return user


async def current_user(session: RequestSession, token: Annotated[str, Depends(oauth2)]) -> User:
    """Return the user who sends the request."""
    return await user_of_token(session, token)


CurrentUser = Annotated[User, Depends(current_user)]
