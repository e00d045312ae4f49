import pytest
from sqlalchemy import select, text

from todo.models import Task


def test_the_newest_revision(db):
    assert db.scalar(text("SELECT version_num FROM alembic_version")) == "0002"


def test_labels_of_the_migration(client):
    assert client.get("/labels").json() == ["home", "work"]


def test_no_tasks_at_first(client):
    assert client.get("/tasks").json() == []


def test_add(client, db):
    key = client.post("/tasks", json={"title": "Paint"}).json()
    assert db.get(Task, key).title == "Paint"


@pytest.mark.parametrize("label", ["home", "work"])
def test_add_with_label(client, db, label):
    assert client.post("/tasks", json={"title": "Paint", "label": label}).status_code == 201
    assert db.scalars(select(Task.label)).all() == [label]


def test_add_with_unknown_label(client, db):
    assert client.post("/tasks", json={"title": "Paint", "label": "moon"}).status_code == 400
    assert db.scalars(select(Task)).all() == []


def test_tasks_in_order(client, db):
    db.add_all([Task(title="Paint"), Task(title="Sleep")])
    db.commit()
    assert client.get("/tasks").json() == ["Paint", "Sleep"]


def test_nothing_is_done_at_first(client, db):
    client.post("/tasks", json={"title": "Paint"})
    assert db.scalars(select(Task.done)).all() == [False]


def test_done(client, db):
    task = Task(title="Paint")
    db.add(task)
    db.commit()
    assert client.post(f"/tasks/{task.id}/done").status_code == 204
    db.refresh(task)
    assert task.done


def test_done_unknown(client):
    assert client.post("/tasks/0/done").status_code == 404
