"""How the application makes its sessions: found in its modules, and not guessed where they disagree."""

from __future__ import annotations

import sys
import textwrap
from types import ModuleType

import pytest
from sqlalchemy.orm import Session, sessionmaker

from pytest_crucible.sessions.sessionmakers import Sessionmakers
from pytest_crucible.settings import Settings

HEAD = """
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

engine = create_engine("postgresql+psycopg://app@db/app")

class Own(Session): ...
"""


@pytest.fixture
def application(tmp_path, monkeypatch):
    """Make modules of an application, and return how sessions are made there."""

    def make(source, *dependencies, expire_on_commit="auto", name="shop.database", **settings):
        module = ModuleType(name)
        module.__file__ = str(tmp_path / "shop" / "database.py")
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(HEAD + textwrap.dedent(source), module.__file__, "exec"), vars(module))  # noqa: S102
        options = Settings(root=tmp_path, expire_on_commit=expire_on_commit, **settings)
        return Sessionmakers(options, lambda: [getattr(module, dependency) for dependency in dependencies])

    return make


@pytest.mark.parametrize(
    ("source", "kind", "expires"),
    [
        ("", "Session", True),
        ("Local = sessionmaker(engine)", "Session", True),
        ("Local = sessionmaker(engine, expire_on_commit=False)", "Session", False),
        ("Local = sessionmaker(engine, class_=Own)", "Own", True),
        ("Local = scoped_session(sessionmaker(engine, class_=Own, expire_on_commit=False))", "Own", False),
        ("Local = sessionmaker()\nLocal.configure(bind=engine, expire_on_commit=False)", "Session", False),
        # Said because of await, which a synchronous session does without.
        ("Local = async_sessionmaker(expire_on_commit=False)", "Session", True),
        ("Local = sessionmaker(class_=AsyncSession, expire_on_commit=False)", "Session", True),
        ("Local = async_sessionmaker(sync_session_class=Own, expire_on_commit=False)", "Own", True),
        ("Local = async_sessionmaker(expire_on_commit=False)\nSync = sessionmaker(class_=Own)", "Own", True),
        ("class Database:\n    makes = sessionmaker(engine, expire_on_commit=False)", "Session", False),
        (
            "class Database:\n    def __init__(self): self._makes = sessionmaker(class_=Own)\ndatabase = Database()",
            "Own",
            True,
        ),
        # Two that say the same, and two that do not.
        ("A = sessionmaker(engine, class_=Own)\nB = sessionmaker(engine, class_=Own)", "Own", True),
        ("A = sessionmaker(engine, class_=Own)\nB = sessionmaker(engine, expire_on_commit=False)", "Session", True),
        # It needs an argument of each caller.
        (
            "class Tenant(Session):\n    def __init__(self, tenant, **words): ...\nA = sessionmaker(class_=Tenant)",
            "Session",
            True,
        ),
    ],
)
def test_the_application_s_sessionmaker(application, source, kind, expires):
    """A session is made as the application makes its own, and by SQLAlchemy's defaults where that is unclear."""
    making = application(source).synchronous()
    assert (making.kind.__name__, making.expire_on_commit) == (kind, expires)


TWO = """
class database:
    makes = sessionmaker(engine, class_=Own, expire_on_commit=False)

Other = sessionmaker(engine)

def scope():
    return database.makes()

def get_db():
    with scope() as session:
        yield session

class Sessions:
    def __init__(self): self.factory = sessionmaker(engine, class_=Own, expire_on_commit=False)
    def give(self): return self.factory()

give = Sessions().give

def current_user(): ...
"""


def test_the_one_that_the_dependency_uses(application):
    """Of several, the one counts that a dependency of the routes uses, also through a function of the project."""
    assert application(TWO, "current_user").synchronous().kind is Session
    making = application(TWO, "current_user", "get_db").synchronous()
    assert (making.kind.__name__, making.expire_on_commit) == ("Own", False)
    assert application(TWO, "give").synchronous().kind.__name__ == "Own"
    named = application(TWO, get_session="shop.database:get_db").synchronous()
    assert (named.kind.__name__, named.expire_on_commit) == ("Own", False)


def test_a_neighbour_of_the_project(application, monkeypatch):
    """Where a library outside the root has a maker of its own, as one in editable mode, the root's counts."""
    neighbour = ModuleType("audit")
    neighbour.__file__ = "/elsewhere/audit/__init__.py"
    neighbour.Local = sessionmaker(expire_on_commit=False)
    monkeypatch.setitem(sys.modules, "audit", neighbour)
    assert application("Local = sessionmaker(engine, class_=Own)").synchronous().kind.__name__ == "Own"
    assert not application("").synchronous().expire_on_commit
    assert application(TWO).synchronous().kind is Session


def test_arguments_of_the_class_s_own(application):
    """What a class of the application's takes beside SQLAlchemy's own arguments is handed on."""
    making = application(
        "class Own(Session):\n    def __init__(self, *, tenant, **words): super().__init__(**words)\n"
        "Local = sessionmaker(engine, class_=Own, tenant='acme', autoflush=False)"
    ).synchronous()
    assert making.kwargs == {"tenant": "acme", "expire_on_commit": True}


def test_sessionmakers_that_do_not_count(application):
    """Those of tests and of further databases say nothing of the application's own."""
    source = "Local = sessionmaker(engine, expire_on_commit=False)"
    for name in ("tests.conftest", "conftest", "shop.tests.test_models"):
        assert application(source, name=name).synchronous().expire_on_commit
    stats = {"metadata": ("shop:Base",), "databases": ("app=shop:Stats",)}
    assert application(source, **stats).synchronous().expire_on_commit


@pytest.mark.parametrize(
    ("option", "synchronous", "asynchronous"),
    [("auto", True, False), ("application", False, False), ("always", True, True), ("never", False, False)],
)
def test_the_option(application, option, synchronous, asynchronous):
    """The option governs both fixtures; by default, db_session never expires what it commits."""
    makers = application("Local = async_sessionmaker(expire_on_commit=False)", expire_on_commit=option)
    assert makers.synchronous().expire_on_commit is synchronous
    assert makers.asynchronous_expires() is asynchronous
    assert application("", expire_on_commit=option).asynchronous_expires() is (option in ("application", "always"))
