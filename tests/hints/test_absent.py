"""What "does not exist": which models were not imported, which base or extension is missing."""

from __future__ import annotations

import pytest

from pytest_crucible.advice.extensions import extension_of, how_to_have
from pytest_crucible.settings import Settings

# Further modules of the project; the names of their files are those in `absent`.
MODULES = {
    "billing.py": """
from sqlalchemy import Column, Enum, Integer, MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Ledger(DeclarativeBase):
    metadata = MetaData(schema="books")

class Entry(Ledger):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Enum("in", "out", name="entry_kind"))
""",
    "late.py": """
from sqlalchemy.orm import Mapped, mapped_column
from app import Base

class Late(Base):
    __tablename__ = "late_ones"
    id: Mapped[int] = mapped_column(primary_key=True)
""",
    "never.py": """
from sqlalchemy.orm import Mapped, mapped_column
from app import Base

class Never(Base):
    __tablename__ = "never_loaded"
    id: Mapped[int] = mapped_column(primary_key=True)
""",
}
TESTS = """
import pytest
from sqlalchemy import create_engine, text

import billing

engine = create_engine("postgresql+{driver}://app@db.invalid/app")

@pytest.mark.parametrize("statement", [
    "SELECT * FROM books.entries", "SELECT * FROM never_loaded", "SELECT * FROM qqq", "SELECT * FROM usres",
    "SELECT 'x'::entry_kind", "SELECT 'x'::citext", "SELECT crypt('a', 'b')", "SELECT uuid_generate_v4()",
    "CREATE TABLE books.t ()", "CREATE TABLE nowhere.t ()", "CREATE INDEX ON users USING gin (name gin_trgm_ops)",
])
def test_absent(statement):
    with engine.begin() as connection:
        connection.execute(text(statement))

def test_late():
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
        import late
        connection.execute(text("SELECT * FROM late_ones"))

def test_dropped():
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE users"))
        connection.execute(text("SELECT * FROM users"))
"""


@pytest.fixture
def models(project):
    """Yield the project with those modules; they are gone afterwards."""
    for name, text in MODULES.items():
        (project.root / name).write_text(text, "utf-8")
    yield project
    for name in MODULES:
        (project.root / name).unlink()


def said(result) -> dict[str, str]:
    """Return the hint below each error, by the test."""
    text = "\n".join(result.outlines)
    parts = text.partition("= FAILURES =")[2].partition("short test summary")[0].split("\n_____")
    return {part.partition("\n")[0].strip("_ "): part.partition("sqlalche.me")[2].partition("\n")[2] for part in parts}


@pytest.mark.parametrize("driver", ["psycopg2", pytest.param("psycopg", marks=pytest.mark.slow)])
def test_what_is_missing_and_why(models, driver):
    """The base, the module or the extension is named, and the line of the configuration that brings it."""
    result = models.run(TESTS.format(driver=driver), "--tb=native")
    result.assert_outcomes(failed=13)
    hints = said(result)
    named = 'crucible_metadata = ["app:Base", "billing:Ledger"]'
    base = f"billing:Ledger has {{!r}}, and crucible_metadata does not name it.\n{named}"
    expected = {
        "SELECT * FROM books.entries": base.format("books.entries"),
        "SELECT 'x'::entry_kind": base.format("entry_kind"),
        "CREATE TABLE books.t ()": base.format("books"),
        "CREATE TABLE nowhere.t ()": 'DDL("CREATE SCHEMA IF NOT EXISTS nowhere")) adds it.',
        "SELECT * FROM never_loaded": "never.py, line 6, defines the table 'never_loaded', and nothing has imported ",
        "SELECT * FROM usres": "Did you mean 'users'? That is a table of the metadata.",
        "SELECT 'x'::citext": 'It belongs to the extension citext.\nSet crucible_extensions = ["citext"].',
        "SELECT crypt('a', 'b')": "It belongs to the extension pgcrypto. The embedded PostgreSQL lacks ",
        "SELECT uuid_generate_v4()": 'Set crucible_extensions = ["uuid-ossp"].',
        "CREATE INDEX ON users USING gin (name gin_trgm_ops)": 'Set crucible_extensions = ["pg_trgm"].',
    }
    for statement, hint in expected.items():
        assert hint in hints[f"test_absent[{statement}]"], hints
    assert (
        "app:Base knows the table 'late_ones' by now, but did not when the template was built: late, "
        in hints["test_late"]
    )
    assert 'crucible_metadata = ["app:Base", "late:Base"]' in hints["test_late"]
    assert not hints["test_absent[SELECT * FROM qqq]"].strip(), "there is nothing to say"
    assert "The template has the table 'users': DDL has dropped or renamed it since, " in hints["test_dropped"]


@pytest.mark.slow
def test_what_no_migration_creates(models):
    """Where the template is built by migrations, it is a migration that is missing."""
    (models.root / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/revisions\n", "utf-8")
    versions = models.root / "revisions" / "versions"
    versions.mkdir(parents=True)
    (versions.parent / "env.py").write_text(
        "from alembic import context\n"
        "from sqlalchemy import create_engine\n"
        "with create_engine('postgresql+psycopg2://app@db.invalid/app').begin() as connection:\n"
        "    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n",
        "utf-8",
    )
    (versions / "a.py").write_text(
        "from alembic import op\nrevision = 'a'\ndown_revision = None\n"
        "def upgrade():\n    op.execute('CREATE TABLE other (n int)')\n",
        "utf-8",
    )
    result = models.run(
        """
        from sqlalchemy import create_engine, text

        def test_it(sync_session):
            sync_session.execute(text("SELECT * FROM users"))
        """,
        "--tb=native",
        "--crucible-alembic=alembic.ini",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["The template is built by migrations (alembic.ini), and none of them creates 'users', *"]
    )


@pytest.mark.slow
def test_what_no_script_creates(models):
    """Where scripts make the schema, it is a script that is missing."""
    (models.root / "schema.sql").write_text("CREATE TABLE other (n int)", "utf-8")
    result = models.run(
        """
        import pytest
        from sqlalchemy import text

        @pytest.mark.parametrize("statement", ["TABLE users", "TABLE books.entries", "CREATE TABLE books.t ()"])
        def test_it(sync_session, statement):
            sync_session.execute(text(statement))
        """,
        "--tb=native",
        "--crucible-schema=schema.sql",
    )
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines_random(
        [
            "The template is made by crucible_schema (schema.sql), which does not create 'users'; *",
            "billing.py, line 9, defines the table 'books.entries', which is not in the template.",
            "No script of crucible_schema creates the schema 'books'.",
        ]
    )


@pytest.mark.parametrize(
    ("text", "extension"),
    [
        ('type "public.vector" does not exist', "vector"),
        ('operator class "vector_l2_ops" does not exist for access method "hnsw"', "vector"),
        ('access method "hnsw" does not exist', "vector"),
        ("function similarity(text, unknown) does not exist", "pg_trgm"),
        ("function public.st_point(integer, integer) does not exist", "postgis"),
        ('data type integer has no default operator class for access method "gist"', "btree_gist"),
        ('data type text has no default operator class for access method "gin"', "btree_gin"),
        ('type "mood" does not exist', None),
        ("function total(integer) does not exist", None),
        ('relation "hstore" does not exist', None),
    ],
)
def test_which_extension_something_belongs_to(text, extension):
    """Types, operator classes, access methods and functions."""
    assert extension_of(text) == extension


def test_how_an_extension_comes(tmp_path):
    """The option is shown with what it has already; a migration may create it, too."""
    settings = Settings(tmp_path, extensions=("hstore",), alembic="alembic.ini", server="container")
    assert how_to_have("pgcrypto", settings).splitlines() == [
        "It belongs to the extension pgcrypto.",
        'Set crucible_extensions = ["hstore", "pgcrypto"]. Or create it in a migration, as in production.',
    ]
