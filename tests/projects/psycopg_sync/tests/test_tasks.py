import pytest

from app.main import Task


@pytest.mark.integration
def test_add(client, db_session, title):
    assert client.post("/tasks", json={"title": title}).status_code == 201
    assert [task.title for task in db_session.query(Task)] == [title]


@pytest.mark.integration
def test_list(client, db_session):
    assert client.get("/tasks").json() == []
