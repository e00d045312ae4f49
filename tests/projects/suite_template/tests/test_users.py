import uuid

from fastapi.testclient import TestClient
from sqlmodel import Session, select

from app.core.config import settings
from app.models import User


def random_email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def test_get_users_superuser_me(client: TestClient, superuser_token_headers: dict[str, str]) -> None:
    current_user = client.get("/api/v1/users/me", headers=superuser_token_headers).json()
    assert current_user["is_superuser"]
    assert current_user["email"] == settings.FIRST_SUPERUSER


def test_create_user_new_email(
    client: TestClient, superuser_token_headers: dict[str, str], db: Session
) -> None:
    data = {"email": random_email(), "password": "correct horse"}
    r = client.post("/api/v1/users/", headers=superuser_token_headers, json=data)
    assert r.status_code == 200
    user = db.exec(select(User).where(User.email == data["email"])).one()
    assert str(user.id) == r.json()["id"]


def test_create_user_existing_email(
    client: TestClient, superuser_token_headers: dict[str, str], db: Session
) -> None:
    data = {"email": settings.FIRST_SUPERUSER, "password": "correct horse"}
    r = client.post("/api/v1/users/", headers=superuser_token_headers, json=data)
    assert r.status_code == 400
    assert len(db.exec(select(User).where(User.email == data["email"])).all()) == 1


def test_create_user_by_normal_user(
    client: TestClient, superuser_token_headers: dict[str, str]
) -> None:
    data = {"email": random_email(), "password": "correct horse"}
    client.post("/api/v1/users/", headers=superuser_token_headers, json=data)
    login = {"username": data["email"], "password": data["password"]}
    token = client.post("/api/v1/login/access-token", data=login).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    other = {"email": random_email(), "password": "correct horse"}
    assert client.post("/api/v1/users/", headers=headers, json=other).status_code == 403


def test_create_user_without_token(client: TestClient) -> None:
    data = {"email": random_email(), "password": "correct horse"}
    assert client.post("/api/v1/users/", json=data).status_code == 401


def test_the_superuser_stays(db: Session) -> None:
    user = db.exec(select(User).where(User.email == settings.FIRST_SUPERUSER)).one()
    assert user.is_superuser
