"""What each check finds, and what it does not find."""

from __future__ import annotations

import re
import sys
from unittest import SkipTest

import pytest

from pytest_crucible import migrations as checks
from pytest_crucible.errors import MigrationError, UsageError
from pytest_crucible.migrations.migrations import with_scripts

from . import conftest as projects


@pytest.fixture
def three(scripts):
    """Three revisions that are as they should be."""
    scripts.revision("one", "Create TABLE users (id int PRIMARY KEY)", "Drop TABLE users")
    scripts.revision(
        "two", "Alter TABLE users ADD COLUMN name text", "Alter TABLE users DROP COLUMN name", parent="one"
    )
    scripts.revision("three", "Create INDEX by_name ON users (name)", "Drop INDEX by_name", parent="two")
    return scripts


def check_all(migrations):
    checks.test_single_head(migrations)
    checks.test_upgrade(migrations)
    for revision in migrations.revisions.all:
        checks.test_stairway(migrations, revision.id)
        checks.test_downgrade_leaves_no_trace(migrations, revision.id)


@pytest.mark.parametrize(
    "env",
    [pytest.param(projects.SYNC_ENV, id="sync", marks=pytest.mark.slow), pytest.param(projects.ASYNC_ENV, id="async")],
)
def test_what_is_as_it_should_be(three, checked, env):
    """No check finds anything, and no database is left."""
    three.env(env)
    migrations = checked()
    check_all(migrations)
    migrations.close()
    assert three.databases() == set()


@pytest.mark.slow
def test_in_any_order(three, checked):
    """What a check finds does not depend on which came before it: newest first, oldest last."""
    migrations = checked()
    for revision in ("three", "one", "two", "one"):
        checks.test_stairway(migrations, revision)
        migrations.walks.clear()


def test_two_heads(three, checked):
    """They are named, with their files, and where they part."""
    three.revision("side", parent="one")
    with pytest.raises(MigrationError, match="There are 2 heads") as caught:
        checks.test_single_head(checked())
    message = str(caught.value)
    assert "revision three (migrations/versions/three.py)" in message
    assert "revision side (migrations/versions/side.py)" in message
    assert "after revision one (migrations/versions/one.py)" in message
    assert "alembic merge heads" in message


def test_two_bases(three, checked):
    """Histories without a common revision are two heads, too."""
    three.revision("other")
    with pytest.raises(MigrationError, match="no revision in common"):
        checks.test_single_head(checked())


@pytest.mark.slow
def test_branches_merges_and_dependencies(three, checked):
    """Each revision is walked from what comes right before it, in histories of every shape."""
    three.revision("side", "Create TABLE side (id int)", "Drop TABLE side", parent="one")
    three.revision("merge", "Alter TABLE side ADD name text", "Alter TABLE side DROP name", parent=("three", "side"))
    three.revision("root", "Create TABLE roots (id int)", "Drop TABLE roots")
    three.edit("migrations/versions/root.py", "down_revision = None", "down_revision = None\ndepends_on = 'merge'")
    migrations = checked()
    for revision in migrations.revisions.all:
        checks.test_stairway(migrations, revision.id)
        checks.test_downgrade_leaves_no_trace(migrations, revision.id)
    checks.test_upgrade(migrations)


def test_a_revision_that_fails(three, checked):
    """Its own check names it, the checks before it pass, and those after it say that it is in their way."""
    three.edit("migrations/versions/two.py", "Alter TABLE users ADD", "Alter TABLE user ADD")
    migrations = checked()
    checks.test_stairway(migrations, "one")
    for check in (checks.test_stairway, checks.test_downgrade_leaves_no_trace):
        with pytest.raises(
            MigrationError, match=r"upgrade two failed at revision two \(migrations/versions/two\.py, line"
        ):
            check(migrations, "two")
    with pytest.raises(
        MigrationError, match="Revision three cannot be reached: revision two comes before it"
    ) as caught:
        checks.test_stairway(migrations, "three")
    assert 'syntax error at or near "user"' in str(caught.value)
    with pytest.raises(MigrationError, match="at revision two"):
        checks.test_upgrade(migrations)


def test_a_downgrade_that_fails(three, checked):
    """The message is Alembic's command, the revision and PostgreSQL's words."""
    three.edit("migrations/versions/two.py", "Alter TABLE users DROP COLUMN name", "Alter TABLE users DROP COLUMN nam")
    with pytest.raises(MigrationError, match=r"alembic downgrade one failed at revision two") as caught:
        checks.test_stairway(checked(), "two")
    assert 'column "nam" of relation "users" does not exist' in str(caught.value)


def test_an_enum_that_stays(three, checked):
    """A type outlives the column that was its only use: the upgrade cannot be repeated, and the type is the trace."""
    three.revision(
        "four",
        "Create TYPE mood AS ENUM ('sad', 'happy'); Alter TABLE users ADD COLUMN mood mood",
        "Alter TABLE users DROP COLUMN mood",
        parent="three",
    )
    migrations = checked()
    with pytest.raises(MigrationError, match='type "mood" already exists') as caught:
        checks.test_stairway(migrations, "four")
    assert "four.py) can be upgraded once, but not again" in str(caught.value)
    with pytest.raises(MigrationError) as caught:
        checks.test_downgrade_leaves_no_trace(migrations, "four")
    assert "The downgrade of revision four (migrations/versions/four.py) leaves traces" in str(caught.value)
    assert "\n+ type public.mood: owner crucible enum ('sad', 'happy')\n" in str(caught.value)
    assert "DROP TYPE" in str(caught.value)


def test_an_empty_downgrade(three, checked):
    """``pass`` is no downgrade."""
    three.edit("migrations/versions/three.py", 'op.execute("""Drop INDEX by_name""")', "pass")
    with pytest.raises(MigrationError, match=r"\+ table public\.users: index CREATE INDEX by_name"):
        checks.test_downgrade_leaves_no_trace(checked(), "three")


def test_another_schema_the_second_time(three, checked):
    """An upgrade that looks at what is there may do something else after the downgrade: the difference is shown."""
    three.revision(
        "four",
        "Create TABLE IF NOT EXISTS pets (id int, name text)",
        "Alter TABLE pets DROP COLUMN name",
        parent="three",
    )
    with pytest.raises(MigrationError, match="made one schema at first") as caught:
        checks.test_stairway(checked(), "four")
    assert "\n- table public.pets: column name text\n" in str(caught.value)


def test_a_downgrade_that_says_it_cannot_be_done(three, checked):
    """``raise NotImplementedError`` skips both checks, and nothing else does."""
    three.edit("migrations/versions/two.py", 'op.execute("""Alter TABLE users DROP COLUMN name""")',
               "raise NotImplementedError")  # fmt: skip
    migrations = checked()
    for check in (checks.test_stairway, checks.test_downgrade_leaves_no_trace):
        with pytest.raises(SkipTest, match=r"revision two .* cannot be undone"):
            check(migrations, "two")
        check(migrations, "three")


# What a downgrade may leave behind, and what is listed of it.
TRACES = {
    "a column": ("Alter TABLE users ADD more int", r"\+ table public\.users: column more integer"),
    "a default": ("Alter TABLE users ALTER id SET DEFAULT 1", r"\+ table .*: column id integer not null default 1"),
    "not null": ("Alter TABLE users ALTER name SET NOT NULL", r"\+ table .*: column name text not null"),
    "a constraint": (
        "Alter TABLE users ADD CHECK (id > 0)",
        r"\+ table .*: constraint users_id_check CHECK \(\(id > 0\)\)",
    ),
    "a sequence": ("Create SEQUENCE counter", r"\+ sequence public\.counter: bigint start 1 increment 1"),
    "a schema": ("Create SCHEMA more", r"\+ schema more: owner crucible"),
    "a domain": ("Create DOMAIN positive AS int CHECK (VALUE > 0)", r"\+ type public\.positive: .*domain over integer"),
    "a view": ("Create VIEW names AS SELECT name FROM users", r"\+ view public\.names: rule CREATE RULE"),
    "a function": (
        "Create FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        r"\+ function public\.one\(\): CREATE OR REPLACE",
    ),
    "a trigger": (
        "Create TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        r"\+ table public\.users: trigger CREATE TRIGGER t BEFORE UPDATE",
    ),
    "a comment": ("Comment ON COLUMN users.name IS 'theirs'", r"\+ table column public\.users\.name: comment 'theirs'"),
    "a privilege": ("Grant SELECT ON users TO PUBLIC", r"\+ table public\.users: grants SELECT to PUBLIC"),
    "a column's privilege": (
        "Grant SELECT (name) ON users TO PUBLIC",
        r"\+ table public\.users, column name: grants SELECT",
    ),
    "a policy": ("Create POLICY mine ON users USING (id = 1)", r"\+ table public\.users: policy mine"),
    "row level security": ("Alter TABLE users ENABLE ROW LEVEL SECURITY", r"\+ table .*, row level security"),
    "an extension": ("Create EXTENSION citext", r"\+ extension citext: version"),
    "a setting": (
        "Do $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO UTC', current_database()); END $$",
        r"\+ database settings: TimeZone=",
    ),
}


def test_every_trace(three, checked):
    """Whatever a downgrade leaves is listed, of every kind of object."""
    three.revision("four", "; ".join(upgrade for upgrade, _ in TRACES.values()), parent="three")
    with pytest.raises(MigrationError) as caught:
        checks.test_downgrade_leaves_no_trace(checked(), "four")
    message = str(caught.value)
    assert [
        what for what, (_, expected) in TRACES.items() if not re.search(f"^{expected}", message, re.MULTILINE)
    ] == []


def test_what_is_no_trace(three, checked):
    """Places of columns, values of sequences, and privileges that were given and taken back are none."""
    three.revision("four", "Alter TABLE users DROP COLUMN name", "Alter TABLE users ADD name text; "
                   "Create INDEX by_name ON users (name)", parent="three")  # fmt: skip
    three.revision("five", "Grant SELECT ON users TO PUBLIC", "Revoke SELECT ON users FROM PUBLIC", parent="four")
    migrations = checked()
    for revision in ("four", "five"):
        checks.test_downgrade_leaves_no_trace(migrations, revision)
        checks.test_stairway(migrations, revision)


def test_extensions_are_there_first(three, checked):
    """As in the template, migrations find those of ``crucible_extensions``."""
    three.revision("four", "Alter TABLE users ADD nick citext", "Alter TABLE users DROP nick", parent="three")
    migrations = checked(extensions=("citext",))
    checks.test_upgrade(migrations)
    checks.test_stairway(migrations, "four")


@pytest.mark.slow
def test_a_role_that_nobody_made(three, checked):
    """A migration may grant something to a role that only production has: on a server of Crucible's it is created."""
    three.revision("four", "Grant SELECT ON users TO reporting_only", "Revoke SELECT ON users FROM reporting_only",
                   parent="three")  # fmt: skip
    checks.test_stairway(checked(), "four")
    checks.test_upgrade(checked())


# -- models ----------------------------------------------------------------------------------------------------------

MODELS = """
from sqlalchemy import Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(Text)
"""


@pytest.fixture
def modelled(three):
    """Migrations, and models that say the same."""
    module = f"models_{three.root.name}"
    three.module = module
    three.write(f"{module}.py", MODELS)
    three.edit("alembic.ini", "path_separator", "prepend_sys_path = .\npath_separator")
    three.edit(
        "migrations/env.py", "target_metadata = None", f"import {module}\ntarget_metadata = {module}.Base.metadata"
    )
    three.edit("migrations/versions/three.py", "Create INDEX by_name", "Create INDEX ON users (id); --")
    return three


def test_models_that_match(modelled, checked):
    """An index that no model has is found, and nothing where both agree."""
    with pytest.raises(MigrationError, match=r"op\.drop_index|remove_index"):
        checks.test_models_match(checked())
    modelled.edit("migrations/versions/three.py", "Create INDEX ON users (id); --", "Select 1; --")
    checks.test_models_match(checked())


def test_a_model_without_a_migration(modelled, checked):
    """The operations of the missing revision are shown as Alembic would write them."""
    modelled.edit(f"{modelled.module}.py", "    name:", "    age: Mapped[int]\n    name:")
    with pytest.raises(MigrationError, match=r"op\.add_column\('users', sa\.Column\('age'|'add_column'") as caught:
        checks.test_models_match(checked())
    assert "alembic revision --autogenerate" in str(caught.value)


@pytest.mark.slow
def test_a_model_that_env_does_not_know(modelled, checked):
    """A table of ``crucible_metadata`` is found missing, though ``env.py`` has never heard of it."""
    other = f"other_{modelled.root.name}"
    modelled.write(f"{other}.py", MODELS.replace('"users"', '"pets"'))
    modelled.edit("migrations/versions/three.py", "Create INDEX ON users (id); --", "Select 1; --")
    with pytest.raises(MigrationError, match=r"No migration creates pets, and env\.py does not know of it"):
        checks.test_models_match(checked(metadata=(f"{other}:Base", f"{modelled.module}:Base")))


def test_no_metadata_at_all(three, checked):
    """Where neither ``env.py`` nor ``crucible_metadata`` has models, the error says where they belong."""
    with pytest.raises(MigrationError, match="no models") as caught:
        checks.test_models_match(checked())
    assert "target_metadata" in str(caught.value)


def test_metadata_that_only_crucible_knows(three, checked):
    """Where ``env.py`` has none, the models are those of ``crucible_metadata``."""
    module = f"models_{three.root.name}"
    three.write(f"{module}.py", MODELS)
    with pytest.raises(MigrationError, match=r"match the models would do:\nop\.drop_index\(.*'by_name'"):
        checks.test_models_match(checked(metadata=(f"{module}:Base",)))


@pytest.mark.slow
def test_several_schemas(modelled, checked):
    """With ``include_schemas`` nothing of Crucible's own shows, and what is missing elsewhere does."""
    modelled.edit("migrations/env.py", "target_metadata)", "target_metadata, include_schemas=True)")
    modelled.edit("migrations/versions/three.py", "Create INDEX ON users (id); --", "Select 1; --")
    modelled.revision("four", "Create SCHEMA stock; Create TABLE stock.items (id int PRIMARY KEY)",
                      "Drop SCHEMA stock CASCADE", parent="three")  # fmt: skip
    with pytest.raises(MigrationError, match=r"op\.drop_table\('items', schema='stock'\)|remove_table") as caught:
        checks.test_models_match(checked())
    assert "crucible" not in str(caught.value).replace("crucible_metadata", "")
    item = 'class Item(Base):\n    __tablename__ = "items"\n    __table_args__ = {"schema": "stock"}\n'
    item += "    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)\n"
    (modelled.root / f"{modelled.module}.py").write_text(MODELS + item, "utf-8")
    del sys.modules[modelled.module]
    migrations = checked()
    checks.test_models_match(migrations)
    checks.test_stairway(migrations, "four")


# -- where the migrations are ----------------------------------------------------------------------------------------


def test_where_alembic_looks(three):
    """A project that builds its template from metadata names no scripts: they are found where Alembic finds them."""
    settings = three.settings(alembic=None)
    assert with_scripts(settings).alembic == "alembic.ini"
    assert with_scripts(settings, "other.ini:section").alembic == "other.ini:section"
    (three.root / "alembic.ini").unlink()
    with pytest.raises(UsageError, match=r"no alembic\.ini") as caught:
        with_scripts(settings)
    assert "crucible_alembic" in str(caught.value)
    three.write("pyproject.toml", "[tool.alembic]\nscript_location = 'migrations'")
    assert with_scripts(settings).alembic == "pyproject.toml"


def test_public_names():
    """Each is there when it is asked for, and a misspelt one is an AttributeError."""
    assert checks.__all__ == sorted(checks.__all__)
    assert [getattr(checks, name).__name__ for name in checks.__all__] == checks.__all__
    with pytest.raises(AttributeError, match="test_stairways"):
        checks.test_stairways  # noqa: B018
