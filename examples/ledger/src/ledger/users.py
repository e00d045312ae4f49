"""Registration and login."""

from __future__ import annotations

import asyncio

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.errors import Conflict, NotAuthenticated
from ledger.models import User
from ledger.schemas import Registration
from ledger.security import hash_password, verify_password


async def register(session: AsyncSession, wish: Registration) -> User:
    """Store a new user; the unique constraint decides between two who come at once."""
    user = User(email=wish.email, password_hash=await asyncio.to_thread(hash_password, wish.password))
    session.add(user)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict("this e-mail address is registered already") from error
    return user


async def log_in(session: AsyncSession, email: str, password: str) -> User:
    """Return the user whose password this is."""
    user = await session.scalar(select(User).where(User.email == email.lower()))
    if user is None or not await asyncio.to_thread(verify_password, password, user.password_hash):
        raise NotAuthenticated("e-mail address and password do not match")
    return user
