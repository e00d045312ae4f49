"""What builds a new template, and what does not."""

from __future__ import annotations

import pytest

LISTENER = """

@event.listens_for(Base.metadata, "after_create")
def more(target, connection, **_):
    connection.exec_driver_sql("SELECT 1")
"""
LOAD = """
import pytest_crucible

@pytest_crucible.reads("data/*.csv")
def load(session): ...
"""
ITEM = """class Item(Base):
    __tablename__ = 'items'
    id: Mapped[int] = mapped_column(primary_key=True)"""
EDITS = {
    "a column": ("models", "name: Mapped[str]", "name: Mapped[str | None]"),
    "a type": ("models", "name: Mapped[str]", "name: Mapped[int]"),
    "a table": (
        "models",
        "class User(Base):",
        f"{ITEM}\n\n\nclass User(Base):",
    ),
    "an index": ("models", "name: Mapped[str]", "name: Mapped[str] = mapped_column(index=True)"),
    "a server default": ("models", "name: Mapped[str]", "name: Mapped[str] = mapped_column(server_default='x')"),
    "a comment": ("models", "name: Mapped[str]", "name: Mapped[str] = mapped_column(comment='x')"),
    "a DDL listener's statement": ("models", '"SELECT 1"', '"SELECT 2"'),
    "the loader": ("data", "...", "session.flush()"),
}


@pytest.fixture
def full(project):
    """Return a project with a listener, a loader and a file that it reads."""
    project.edit("models", "    name: Mapped[str]", "    name: Mapped[str]\n" + LISTENER)
    (project.root / "data").mkdir()
    (project.root / "data" / "a.csv").write_text("1")
    project.words = {"load": project.load(LOAD), "extensions": ("citext",)}
    return project


@pytest.mark.parametrize("edit", EDITS)
def test_what_the_user_edits(full, edit):
    """Whatever changes what the template holds changes the fingerprint, and changing it back changes it back."""
    before = full.fingerprint(**full.words)
    module, old, new = EDITS[edit]
    full.edit(module, old, new)
    assert full.fingerprint(**full.words) != before
    full.edit(module, new, old)
    assert full.fingerprint(**full.words) == before


def test_files_that_the_loader_declares(full):
    """Their contents and their names count, and a new one among them; what they do not match does not."""
    seen = [full.fingerprint(**full.words)]
    data = full.root / "data"
    (data / "note.txt").write_text("nothing")
    assert full.fingerprint(**full.words) == seen[0]
    for change in (
        lambda: (data / "a.csv").write_text("2"),
        lambda: (data / "b.csv").write_text("2"),
        lambda: (data / "b.csv").rename(data / "c.csv"),
        lambda: (data / "c.csv").unlink() or (data / "a.csv").write_text("3"),
    ):
        change()
        seen.append(full.fingerprint(**full.words))
    assert len(set(seen)) == len(seen)


def test_settings_and_facts(full):
    """The extensions and their order, the locale, the loader, the owner, the server's version, Crucible's own SQL."""
    facts = {"owner": "app", "server": "180000", "reset": "SQL"}
    seen = [full.fingerprint(**full.words)]
    seen += [full.fingerprint(**full.words, facts=list((facts | {changed: "other"}).items())) for changed in facts]
    for words in ({"extensions": ()}, {"extensions": ("citext", "hstore")}, {"locale": "C"}, {"load": None}):
        seen.append(full.fingerprint(**(full.words | words)))
    assert len(set(seen)) == len(seen)


def test_versions_of_the_tools(full, monkeypatch):
    """A new SQLAlchemy, or a new Crucible, may build something else from the same models."""
    before = full.fingerprint(**full.words)
    with monkeypatch.context() as patch:
        patch.setattr("sqlalchemy.__version__", "9.9.9")
        assert full.fingerprint(**full.words) != before
    with monkeypatch.context() as patch:
        patch.setattr("pytest_crucible.recipes.recipe.version", lambda name: "9.9.9")
        assert full.fingerprint(**full.words) != before
    assert full.fingerprint(**full.words) == before


def test_what_shapes_no_template(project):
    """The application's code, methods of models, Python defaults, the isolation, tests: nothing is built anew."""
    before = project.fingerprint()
    project.edit("models", "class User(Base):", "class User(Base):\n    def greet(self): return 'hi'\n")
    project.edit("models", "name: Mapped[str]\n", "name: Mapped[str] = mapped_column(default='x')\n")
    project.write("views", "x = 1")
    assert project.fingerprint(isolation="clone", keep_failed=True, seed=7, no_database=("a",)) == before


HELPED = """
import pytest_crucible
from HELPER import rows
from MODELS import User
from APPLICATION import app

@pytest_crucible.reads("$SEED_SIZE")
def load(session): ...
"""


@pytest.fixture
def helped(project):
    """Return a loader that imports a module, which imports another one, the models, and an application with a view."""
    names = {"HELPER": "helper", "APPLICATION": "application"}
    project.write("deeper", "ROWS = [1]\n")
    project.write("helper", f"from {project.name('deeper')} import ROWS\nrows = ROWS\n")
    project.write("view", "x = 1\n")
    project.write("application", f"import {project.name('view')}\napp = object()\n")
    text = HELPED
    for word, module in names.items():
        text = text.replace(word, project.name(module))
    project.words = {"load": project.load(text), "app": f"{project.name('application')}:app"}
    return project


@pytest.mark.parametrize(
    ("module", "old", "new"), [("helper", "rows = ROWS", "rows = ROWS * 2"), ("deeper", "[1]", "[2]")]
)
def test_modules_that_the_loader_imports(helped, module, old, new):
    """What the loader imports from the project counts, directly or not."""
    before = helped.fingerprint(**helped.words)
    helped.edit(module, old, new)
    assert helped.fingerprint(**helped.words) != before


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("models", "class User(Base):", "class User(Base):\n    def greet(self): return 'hi'\n"),
        ("application", "object()", "list()"),
        ("view", "x = 1", "x = 2"),
    ],
)
def test_modules_that_the_schema_covers(helped, module, old, new):
    """Models and the application are imported by almost everything: their DDL counts, and no edit of their code."""
    before = helped.fingerprint(**helped.words)
    helped.edit(module, old, new)
    assert helped.fingerprint(**helped.words) == before


def test_variables_that_the_loader_declares(helped, monkeypatch):
    """An environment variable counts with its value; one that is not declared does not."""
    monkeypatch.delenv("SEED_SIZE", raising=False)
    before = helped.fingerprint(**helped.words)
    monkeypatch.setenv("OTHER_SIZE", "2")
    assert helped.fingerprint(**helped.words) == before
    monkeypatch.setenv("SEED_SIZE", "2")
    assert helped.fingerprint(**helped.words) != before


def test_relative_imports_of_the_loader(project):
    """A loader in a package imports its neighbours relatively."""
    package = project.root / project.name("pack")
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rows.py").write_text("ROWS = 1")
    (package / "data.py").write_text("from .rows import ROWS\ndef load(session): ...")
    load = f"{package.name}.data:load"
    before = project.fingerprint(load=load)
    (package / "rows.py").write_text("ROWS = 2")
    assert project.fingerprint(load=load) != before


def test_two_loaders_of_one_function(project):
    """Two names for one function with different arguments are two loaders."""
    module = project.load("import functools\ndef load(rows, session): ...\nfew = functools.partial(load, 1)\n"
                          "many = functools.partial(load, 1000)").partition(":")[0]  # fmt: skip
    assert project.fingerprint(load=f"{module}:few") != project.fingerprint(load=f"{module}:many")
