"""Templates that are built by migrating: whatever ``env.py`` does, it is led to the database being built."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from importlib.metadata import version

import pytest

from pytest_crucible.errors import TemplateError, UsageError
from pytest_crucible.recipes import recipe_of
from pytest_crucible.recipes.alembic.scripts import Scripts
from pytest_crucible.recipes.fingerprints import fingerprint

from . import conftest as projects

since_116 = pytest.mark.skipif(version("alembic") < "1.16", reason="new in Alembic 1.16")
CREATE = "Create TABLE users (id int PRIMARY KEY)"
TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


@pytest.fixture
def migrated(scripts):
    scripts.revision("one", CREATE, "Drop TABLE users")
    scripts.revision("two", "op.add_column('users', sa.Column('name', sa.Text))", parent="one")
    return scripts


ENVS = {
    "sync, psycopg": (projects.SYNC_ENV, "psycopg"),
    "sync, psycopg2": (projects.SYNC_ENV, "psycopg2"),
    "async, asyncpg": (projects.ASYNC_ENV, "asyncpg"),
    "async, psycopg": (projects.ASYNC_ENV, "psycopg"),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if "psycopg2" in kind else kind for kind in ENVS]
)
def test_an_env_that_alembic_wrote(migrated, work, ask, kind):
    """Every kind of ``env.py`` builds the template, unchanged, and the template is kept."""
    env, driver = ENVS[kind]
    migrated.env(env)
    migrated.edit("alembic.ini", "postgresql+psycopg", f"postgresql+{driver}")
    worker = work()
    assert ask(worker, "SELECT name, version_num FROM users RIGHT JOIN alembic_version ON true") == [(None, "two")]
    assert worker.main.template.built
    again = work("bbbbbbbb")
    assert ask(again, TABLES) == [("alembic_version",), ("users",)]
    assert not again.main.template.built


def test_while_a_loop_runs(migrated, work, ask):
    """An ``env.py`` that calls ``asyncio.run`` works from within an async test, whose loop goes on."""
    migrated.env(projects.ASYNC_ENV)
    migrated.edit("alembic.ini", "postgresql+psycopg", "postgresql+asyncpg")
    worker = work()

    async def test():
        assert ask(worker, TABLES) == [("alembic_version",), ("users",)]
        assert asyncio.get_running_loop().is_running()
        await asyncio.sleep(0)

    asyncio.run(test())


ENV_URL = projects.SYNC_ENV.replace(
    "section = config.get_section(config.config_ini_section, {})",
    "import os\n    section = {'sqlalchemy.url': os.environ['MIGRATIONS_URL']}",
)


def test_a_url_from_the_environment(migrated, work, ask, monkeypatch):
    """It is led to the template all the same."""
    migrated.env(ENV_URL)
    monkeypatch.setenv("MIGRATIONS_URL", "postgresql+psycopg2://root:secret@db.production.invalid/live")
    assert ask(work(), TABLES) == [("alembic_version",), ("users",)]


GIVEN = """
from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""
GIVEN_OR_OWN = projects.SYNC_ENV.replace(
    "\nrun_migrations_online()",
    "\nassert config.attributes.get('connection') is None\nassert 'connection' not in config.attributes\n"
    "run_migrations_online()",
)


@pytest.mark.parametrize("env", [GIVEN, GIVEN_OR_OWN], ids=["insists", "asks"])
def test_an_env_that_takes_a_connection(migrated, work, ask, env):
    """One that insists on a connection gets one; one that only asks uses its own engine."""
    migrated.env(env)
    assert ask(work(), TABLES) == [("alembic_version",), ("users",)]


def test_no_section_but_one_of_another_name(migrated, work, ask):
    """``alembic.ini:other`` is ``alembic -n other``."""
    migrated.edit("alembic.ini", "[alembic]", "[other]")
    assert ask(work(alembic="alembic.ini:other"), TABLES) == [("alembic_version",), ("users",)]
    with pytest.raises(UsageError, match="script_location"):
        Scripts(migrated.settings()).directory  # noqa: B018


@since_116
def test_pyproject(migrated, work, ask):
    """Alembic may be configured in ``pyproject.toml``."""
    (migrated.root / "alembic.ini").unlink()
    migrated.write(
        "pyproject.toml", '[tool.alembic]\nscript_location = "%(here)s/migrations"\nprepend_sys_path = ["."]'
    )
    migrated.env(GIVEN)
    assert ask(work(alembic="pyproject.toml"), TABLES) == [("alembic_version",), ("users",)]


@since_116
def test_paths_are_those_of_the_command_line(migrated, work, ask, monkeypatch, tmp_path):
    """Relative paths are seen from the folder of ``alembic.ini``, wherever pytest was started."""
    relative = "migrations\nprepend_sys_path = src:.\nversion_locations = more:migrations/versions"
    migrated.edit("alembic.ini", "%(here)s/migrations", relative)
    migrated.edit("alembic.ini", "path_separator = os", "path_separator = :")
    migrated.write(f"src/names_{migrated.root.name}.py", "TABLE = 'pets'")
    create = f"from names_{migrated.root.name} import TABLE\nopen('alembic.ini').close()\nop.create_table(TABLE)"
    migrated.revision("three", create, parent="two", folder="more")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    assert ask(work(), TABLES) == [("alembic_version",), ("pets",), ("users",)]
    assert sys.path == path
    assert os.getcwd() == str(tmp_path)  # noqa: PTH109


def test_scripts_in_a_package(migrated, work, ask, monkeypatch):
    """``script_location`` may name a package, ``app:migrations``."""
    package = f"package_{migrated.root.name}"
    (migrated.root / "migrations").rename(migrated.write(f"src/{package}/__init__.py", "").parent / "migrations")
    migrated.edit("alembic.ini", "%(here)s/migrations", f"{package}:migrations")
    monkeypatch.syspath_prepend(migrated.root / "src")
    assert ask(work(), TABLES) == [("alembic_version",), ("users",)]


def test_two_heads(migrated, work, ask):
    """All branches are upgraded; that there is one head is the business of a check."""
    migrated.revision("side", "Create TABLE side (id int)", parent="one")
    assert ask(work(), TABLES) == [("alembic_version",), ("side",), ("users",)]


def test_logging_stays_as_it_was(migrated, work, ask, caplog):
    """``fileConfig`` in ``env.py`` neither disables loggers nor takes pytest's handlers away."""
    logger = logging.getLogger("theirs")
    handlers = list(logging.getLogger().handlers)
    ask(work(), TABLES)
    assert not logger.disabled
    assert logging.getLogger().handlers == handlers
    logger.warning("still heard")
    assert "still heard" in caplog.text


def test_logging_of_a_module_that_env_imports(migrated, work, ask, caplog):
    """What the project's own modules configure is left to them, but pytest goes on hearing."""
    module = f"logs_{migrated.root.name}"
    migrated.write(
        f"{module}.py", "import logging.config\nlogging.config.dictConfig({'version': 1, 'root': {'handlers': []}})"
    )
    migrated.edit("alembic.ini", "path_separator", "prepend_sys_path = .\npath_separator")
    migrated.env(f"import {module}\n{projects.SYNC_ENV}")
    logger = logging.getLogger("theirs")
    ask(work(), TABLES)
    assert module in sys.modules
    logger.warning("still heard")
    assert "still heard" in caplog.text


@since_116
def test_warnings_are_no_errors(migrated, work, ask):
    """A deprecated setting fails no build under ``filterwarnings = ["error"]``, under which this test runs."""
    migrated.edit("alembic.ini", "path_separator = os\n", "prepend_sys_path = .\n")
    with pytest.warns(DeprecationWarning, match="path_separator"):
        assert ask(work(), TABLES) == [("alembic_version",), ("users",)]


STATEMENTS = {
    "an index, concurrently": (
        "with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX CONCURRENTLY i ON users (name)')",
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'users'::regclass AND NOT indisprimary",
        [("i",)],
    ),
    "an extension": (
        "op.execute('CREATE EXTENSION citext')",
        "SELECT extname::text FROM pg_extension WHERE extname = 'citext'",
        [("citext",)],
    ),
    "a value of an enum, used at once": (
        """op.execute("CREATE TYPE mood AS ENUM ('sad')")
with op.get_context().autocommit_block():
    op.execute("ALTER TYPE mood ADD VALUE 'happy'")
op.execute("ALTER TABLE users ADD COLUMN mood mood DEFAULT 'happy'")""",
        "SELECT count(*) FROM pg_enum",
        [(2,)],
    ),
    "rows": ("op.execute(\"INSERT INTO users (id, name) VALUES (1, 'ada')\")", "SELECT name FROM users", [("ada",)]),
}


@pytest.mark.parametrize("transactions", ["one", pytest.param("one for each", marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", STATEMENTS)
def test_what_a_migration_may_do(migrated, work, ask, what, transactions):
    """Also what no transaction may hold, and what only a trusted extension lets an ordinary role do."""
    upgrade, query, expected = STATEMENTS[what]
    if transactions == "one for each":
        migrated.edit("migrations/env.py", "target_metadata)", "target_metadata, transaction_per_migration=True)")
    migrated.revision("three", upgrade, parent="two")
    assert ask(work(), query) == expected


def test_alembic_wins_over_metadata(migrated, work, ask):
    """Where both are set, migrations build the schema, and the metadata is there for the checks."""
    worker = work(metadata=("app_of_nobody:Base",))
    assert ask(worker, TABLES) == [("alembic_version",), ("users",)]


def test_data_on_top(migrated, work, ask):
    """``crucible_load`` comes after the migrations."""
    module = f"data_{migrated.root.name}"
    migrated.write(
        f"{module}.py",
        "from sqlalchemy import text\ndef load(session):\n"
        "    session.execute(text(\"INSERT INTO users (id, name) VALUES (1, 'ada')\"))",
    )
    assert ask(work(load=f"{module}:load"), "SELECT name FROM users") == [("ada",)]


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("env", [projects.SYNC_ENV, projects.ASYNC_ENV], ids=["sync", "async"])
def test_a_migration_that_fails(migrated, work, env):
    """The error names the revision, its file and line, and what PostgreSQL said; nothing is left."""
    migrated.env(env)
    if env is projects.ASYNC_ENV:
        migrated.edit("alembic.ini", "postgresql+psycopg", "postgresql+asyncpg")
    migrated.revision("three", "Alter TABLE nobody ADD COLUMN x int", parent="two")
    with pytest.raises(TemplateError) as caught:
        work().ready()
    message = str(caught.value)
    assert "alembic upgrade heads failed at revision three (migrations/versions/three.py, line 12)" in message
    assert 'relation "nobody" does not exist' in message
    assert "The statement was: Alter TABLE nobody" in message
    assert caught.value.__cause__ is not None
    assert migrated.databases() == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [("revision = 'three'\ndef upgrade(:\n", "SyntaxError"), ("import nosuchmodule\n", "nosuchmodule")],
)
def test_a_revision_that_cannot_be_read(migrated, work, text, said):
    """The error names the file."""
    migrated.write("migrations/versions/three.py", text)
    with pytest.raises(TemplateError, match=r"migrations/versions/three\.py, line") as caught:
        work().ready()
    assert said in str(caught.value)


def test_an_env_that_fails(migrated, work):
    """The error names ``env.py`` and the line."""
    migrated.env(ENV_URL)
    with pytest.raises(TemplateError, match=r"\(migrations/env\.py, line 16\): KeyError: 'MIGRATIONS_URL'"):
        work().ready()


def test_an_env_that_exits(migrated, work):
    """``sys.exit()`` ends no run of pytest; it is an error of the build."""
    migrated.env("import sys\nsys.exit('no URL')")
    with pytest.raises(TemplateError, match=r"\(migrations/env\.py, line 2\): SystemExit: no URL"):
        work().ready()


def test_an_env_that_commits_nothing(migrated, work):
    """Alembic reports success and nothing is there: the error says what to look for in ``env.py``."""
    migrated.edit(
        "migrations/env.py", "context.configure", "connection.exec_driver_sql('SELECT 1')\n        context.configure"
    )
    with pytest.raises(TemplateError, match="ran 2 revisions, and there is no table") as caught:
        work().ready()
    assert "commit" in str(caught.value)


def test_no_such_file(scripts):
    """The error says what the option names."""
    with pytest.raises(UsageError, match=r"there is no file .*nowhere\.ini"):
        recipe_of(scripts.settings(alembic="nowhere.ini"))


def test_no_such_folder(scripts, work):
    """The error says what Alembic says of ``script_location``."""
    scripts.edit("alembic.ini", "migrations", "elsewhere")
    with pytest.raises(UsageError, match="Path doesn't exist"):
        work().ready()


def test_no_alembic(scripts, work, monkeypatch):
    """Where it is not installed, the error says what to install."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "alembic"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "alembic", None)
    with pytest.raises(UsageError, match="alembic") as caught:
        work().ready()
    assert "pip install alembic" in str(caught.value)


def test_a_missing_parent(migrated, work):
    """A revision whose parent is not there is an error of the build, in Alembic's words."""
    migrated.revision("four", parent="three")
    with pytest.warns(UserWarning, match="three"), pytest.raises(TemplateError, match="three"):
        work().ready()


# -- the fingerprint -------------------------------------------------------------------------------------------------


def mark(project, **words):
    return fingerprint(recipe_of(project.settings(**words)).parts())


CHANGES = {
    "a revision": lambda project: project.edit("migrations/versions/two.py", "sa.Text", "sa.String"),
    "a new revision": lambda project: project.revision("three", parent="two"),
    "env.py": lambda project: project.edit("migrations/env.py", "target_metadata = None", "target_metadata = []"),
    "a file beside them": lambda project: project.write("migrations/seed.sql", "SELECT 1"),
    "alembic.ini": lambda project: project.edit("alembic.ini", "%(message)s", "%(name)s"),
    "what a revision imports": lambda project: project.edit("src/shapes/names.py", "users", "people"),
    "what that imports": lambda project: project.edit("src/shapes/words.py", "1", "2"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_builds_a_new_template(migrated, what):
    """Each file of the scripts, what revisions import, and the configuration is part of the fingerprint."""
    migrated.revision("zero", "from shapes.names import TABLE", parent="two")
    migrated.write("src/shapes/__init__.py", "")
    migrated.write("src/shapes/names.py", "from . import words\nfrom elsewhere import x\nTABLE = 'users'")
    migrated.write("src/shapes/words.py", "ONE = 1")
    migrated.write("src/shapes/other.py", "TWO = 2")
    before = mark(migrated)
    migrated.edit("src/shapes/other.py", "2", "3")
    assert mark(migrated) == before
    CHANGES[what](migrated)
    assert mark(migrated) != before


def test_versions_and_extensions(migrated, monkeypatch):
    """So are Alembic's version and the extensions."""
    before = mark(migrated)
    assert mark(migrated, extensions=("citext",)) != before
    monkeypatch.setattr("pytest_crucible.recipes.alembic.recipe.version", lambda name: "9.9.9")
    assert mark(migrated) != before


def test_the_same_on_every_machine(migrated, server, server_cache, tmp_path):
    """Where the project lies is no part of it, nor is what Python compiled."""
    before = mark(migrated)
    there = projects.Project(tmp_path, (server[1], server_cache), migrated.admin)
    for path in (migrated.root / "migrations").rglob("*.py"):
        there.write(str(path.relative_to(migrated.root)), path.read_text("utf-8"))
    there.write("migrations/versions/__pycache__/x.pyc", "anything")
    assert mark(there) == before
