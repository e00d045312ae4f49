from fastapi.testclient import TestClient

from app.core.config import settings


def test_get_access_token(client: TestClient) -> None:
    login_data = {
        "username": settings.FIRST_SUPERUSER,
        "password": settings.FIRST_SUPERUSER_PASSWORD,
    }
    r = client.post("/api/v1/login/access-token", data=login_data)
    assert r.status_code == 200
    assert r.json()["access_token"]


def test_get_access_token_incorrect_password(client: TestClient) -> None:
    login_data = {"username": settings.FIRST_SUPERUSER, "password": "incorrect"}
    assert client.post("/api/v1/login/access-token", data=login_data).status_code == 400


def test_bad_token(client: TestClient) -> None:
    r = client.get("/api/v1/users/me", headers={"Authorization": "Bearer nonsense"})
    assert r.status_code == 403


def test_no_token(client: TestClient) -> None:
    assert client.get("/api/v1/users/me").status_code == 401
