from datetime import datetime, timedelta, timezone

import jwt

SECRET = "change me, and let me be at least 32 bytes long"


def create_access_token(user_id: int, expires_delta: timedelta = timedelta(minutes=15)) -> str:
    return jwt.encode({"sub": str(user_id), "exp": datetime.now(timezone.utc) + expires_delta}, SECRET, "HS256")


def create_refresh_token(user_id: int) -> str:
    return jwt.encode({"sub": str(user_id), "type": "refresh"}, SECRET, "HS256")
