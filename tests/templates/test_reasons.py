"""What a template was built for, where the project had another one before."""

from __future__ import annotations

import itertools

import pytest

from pytest_crucible.project.template_trace import Trace

ROWS = "ROWS = ['ada']\n"
LOAD = """
from ROWS import NAMES
def load(session): ...
"""
NUMBERS = itertools.count()


@pytest.fixture
def notes(project, work):
    """Build the template as the project is now; returns what the summary says of it."""

    def build(**words):
        worker = work(f"{next(NUMBERS):08}", **words)
        worker.ready()
        return worker.notes

    return build


CHANGES = {
    "a column": ("name: Mapped[str]", "name: Mapped[int]", "CREATE TABLE users (name)"),
    "another column": (
        "name: Mapped[str]",
        "name: Mapped[str]\n    age: Mapped[int]",
        "CREATE TABLE users (age)",
    ),
    "an index": (
        "name: Mapped[str]",
        "name: Mapped[str] = mapped_column(index=True)",
        "CREATE INDEX ix_users_name ON users",
    ),
}


@pytest.mark.parametrize(
    "change", ["a column", *(pytest.param(name, marks=pytest.mark.slow) for name in [*CHANGES][1:])]
)
def test_a_statement_that_changed(project, notes, change):
    """The summary names the statement, and of a table the column."""
    old, new, named = CHANGES[change]
    assert notes() == []
    project.edit("models", old, new)
    assert notes() == [f"template built anew, because of {named}"]
    assert notes() == []


@pytest.mark.slow
def test_a_setting_and_a_file_that_changed(project, notes):
    """The summary names a file of the data, and a setting."""
    (project.root / "names.csv").write_text("ada")
    load = project.load("import pytest_crucible\n@pytest_crucible.reads('names.csv', '$ROWS')\ndef load(session): ...")
    assert notes(load=load) == []
    (project.root / "names.csv").write_text("eve")
    assert notes(load=load) == ["template built anew, because of names.csv"]
    assert notes(load=load, extensions=("citext",)) == ["template built anew, because of other crucible_extensions"]


def test_a_template_that_is_built_again(project, notes):
    """crucible_rebuild is the reason, and not what differs from a template of an earlier state."""
    assert notes() == []
    project.edit("models", *CHANGES["a column"][:2])
    assert len(notes()) == 1
    assert notes(rebuild=True) == ["template built anew, because of crucible_rebuild"]


def test_an_owner_that_changed():
    """The summary has words for what is no file, no setting and no statement."""
    earlier, later = (
        Trace({"owner": "1", "reset": "1", "mark": "1"}, {}),
        Trace({"owner": "2", "reset": "2", "mark": "2"}, {}),
    )
    words = "another role that owns the schema, another version of pytest-crucible"
    assert later.since(earlier) == f"template built anew, because of {words}"


UNSTABLE = {
    "a random default": (
        "name: Mapped[str]",
        "name: Mapped[str]\n    token: Mapped[str] = mapped_column(server_default=__import__('uuid').uuid4().hex)",
        "CREATE TABLE users (token)",
    ),
    "an enum of a set": (
        "name: Mapped[str]",
        (
            "name: Mapped[str]\n    mood: Mapped[str] = mapped_column(__import__('sqlalchemy').Enum("
            "*__import__('random').sample(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], 8), name='moods'))"
        ),
        "CREATE TYPE moods AS ENUM",
    ),
    "a listener with the present time": (
        "class Base(DeclarativeBase):\n    pass",
        (
            "class Base(DeclarativeBase):\n    pass\n\n\nimport time\n"
            "event.listen(Base.metadata, 'after_create', DDL(f'SELECT {time.time_ns()} AS \"x\"'))"
        ),
        None,
    ),
}


@pytest.mark.parametrize(
    "what", ["a random default", *(pytest.param(name, marks=pytest.mark.slow) for name in [*UNSTABLE][1:])]
)
def test_what_differs_in_each_run(project, notes, what):
    """A text that changes while no module does is named as the reason why every run builds."""
    old, new, named = UNSTABLE[what]
    project.edit("models", old, new)
    assert notes() == []
    (note,) = notes()
    assert note.startswith("template built anew in each run, because no module has changed and yet ")
    assert named is None or f" {named} had another text" in note


@pytest.mark.slow
def test_one_template_for_each_database(project, notes):
    """The template of another of the project's databases is no earlier one."""
    project.write(
        "stats",
        "from sqlalchemy import Column, Integer, MetaData, Table\nmetadata = MetaData()\n"
        "Table('hits', metadata, Column('id', Integer))\n",
    )
    worker_notes = notes(databases=(f"stats={project.name('stats')}:metadata",))
    assert worker_notes == []
