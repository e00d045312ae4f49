from datetime import datetime, timedelta, timezone
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from .database import get_db
from .models import User

SECRET = "a secret of at least thirty-two bytes"
bearer = OAuth2PasswordBearer(tokenUrl="/token")


def create_access_token(user_id: int, expires_delta: timedelta = timedelta(hours=1)) -> str:
    claims = {"sub": str(user_id), "exp": datetime.now(timezone.utc) + expires_delta}
    return jwt.encode(claims, SECRET, algorithm="HS256")


async def current_user(token: Annotated[str, Depends(bearer)], db: Annotated[AsyncSession, Depends(get_db)]) -> User:
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "the token is not valid") from error
    user = await db.get(User, int(claims["sub"]))
    if user is None:
        raise HTTPException(401, "there is no such user")
    return user
