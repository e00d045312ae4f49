import pytest
from app import Label, Node, labelled
from sqlalchemy import func, select


def count(session, what):
    return session.scalar(select(func.count()).select_from(what))


@pytest.fixture
def tree(session):
    root = Node(children=[Node(children=[Node()]), Node()], labels=[Label(name="x"), Label(name="y")])
    session.add(root)
    session.commit()
    return root


@pytest.mark.parametrize("n", range(2))
def test_delete_the_root(n, session, tree):
    assert count(session, Node) == 4
    session.delete(tree)
    session.commit()
    assert (count(session, Node), count(session, labelled), count(session, Label)) == (0, 0, 2)


def test_orphan(session, tree):
    tree.children.pop(0)
    session.commit()
    assert count(session, Node) == 2


def test_label_goes(session, tree):
    session.delete(tree.labels[0])
    session.commit()
    session.refresh(tree)
    assert [label.name for label in tree.labels] == ["y"]


def test_empty(session):
    assert count(session, Node) == count(session, Label) == 0
