"""What PostgreSQL refuses to an ordinary role comes with the reason and with what to write instead."""

from __future__ import annotations

import pytest

from pytest_crucible.advice.superuser_statements import ORDINARY, SuperuserHints
from pytest_crucible.errors.hints import Refusal

REFUSED = """
import psycopg
import pytest
from sqlalchemy import create_engine, text

from app import engine as asynchronous

REFUSED = {refused!r}

def execute(statement):
    engine = create_engine("postgresql+{driver}://postgres:postgres@localhost/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))

@pytest.mark.parametrize("statement", REFUSED)
def test_refused(statement):
    execute(statement)

async def test_asyncpg():
    async with asynchronous.connect() as connection:
        await connection.execute(text("SET session_replication_role = replica"))

def test_past_sqlalchemy(database_url):
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE ROLE someone")
"""

ELSEWHERE = '*crucible_server = "postgresql://postgres@localhost/postgres".'
STATEMENTS = {
    "CREATE DATABASE test": "*Remove what makes it (*.py:13 in execute, called at *.py:17 in test_refused), *",
    "DROP DATABASE test": "*Remove what drops it (*",
    "DROP DATABASE postgres": "*Remove the statement (*",
    "ALTER DATABASE shop SET timezone TO 'UTC'": "*Get the name by SELECT current_database(), or *",
    "SELECT set_config('session_replication_role', 'replica', true)": "*SET CONSTRAINTS ALL DEFERRED; *",
    "DO $$ BEGIN CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree);"
    " ALTER TABLE tree DISABLE TRIGGER ALL; END $$": "*DISABLE TRIGGER with the name of *",
    "CREATE ROLE someone": "*Name roles in the DDL that makes the schema (GRANT … TO, *",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'crucible_admin'": "*add AND usename = *",
    "CREATE EXTENSION pgcrypto": '*crucible_server = "container" (*CRUCIBLE_POSTGRES=*',
    "ALTER SYSTEM SET work_mem = '1MB'": ELSEWHERE,
    "SET log_statement = 'all'": "*use the fixture query_log or *",
    "SET zero_damaged_pages = on": ELSEWHERE,
    "COPY users FROM PROGRAM 'cat /etc/passwd'": "*use COPY … FROM STDIN: *",
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()": ELSEWHERE,
    "CREATE PUBLICATION p FOR ALL TABLES": ELSEWHERE,
    "SELECT pg_read_file('/etc/passwd')": ELSEWHERE,
    "UPDATE pg_class SET relname = 'x'": ELSEWHERE,
    "CREATE TABLESPACE t LOCATION '/tmp/x'": ELSEWHERE,
    "SELECT pg_create_physical_replication_slot('x')": ELSEWHERE,
    "LOAD 'auto_explain'": ELSEWHERE,
    "CHECKPOINT": ELSEWHERE,
}


@pytest.mark.slow
def test_every_refusal_says_why_and_what_to_write(project):
    """Of psycopg2, of asyncpg, and past SQLAlchemy."""
    result = project.run(REFUSED.format(refused=list(STATEMENTS), driver="psycopg2"), "--tb=native")
    result.assert_outcomes(failed=len(STATEMENTS) + 2)
    for hint in STATEMENTS.values():
        result.stdout.fnmatch_lines_random([hint])
    lines = result.outlines
    assert sum(line == ORDINARY for line in lines) == len(STATEMENTS) + 2 - 4 - 1, "not for databases nor extensions"


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_every_refusal_by_each_driver(project, driver):
    """The hint does not depend on how a driver words its error."""
    result = project.run(REFUSED.format(refused=list(STATEMENTS), driver=driver), "--tb=native")
    result.assert_outcomes(failed=len(STATEMENTS) + 2)
    for hint in STATEMENTS.values():
        result.stdout.fnmatch_lines_random([hint])


def test_a_conftest_that_makes_the_database(project):
    """The error names the line that can go; so does the one of a fixture that drops it."""
    conftest = project.root / "conftest.py"
    conftest.write_text(
        "from sqlalchemy import create_engine, text\n"
        "engine = create_engine('postgresql+psycopg2://localhost/postgres', isolation_level='AUTOCOMMIT')\n"
        "with engine.connect() as connection:\n"
        "    connection.execute(text('CREATE DATABASE shop_test'))\n",
        "utf-8",
    )
    try:
        result = project.run("def test_it(): pass")
    finally:
        conftest.unlink()
    # In Python 3.10, exceptions have no notes, and the hint comes first.
    result.stderr.fnmatch_lines(["*permission denied to create database*"])
    result.stderr.fnmatch_lines(
        [
            "*Crucible has created the database already: *",
            "*Remove what makes it (*conftest.py:4 in <module>), and what drops it.",
        ]
    )


@pytest.mark.slow
def test_what_the_application_may_not_do_anyway_has_no_hint(project):
    """Missing privileges on the application's own tables are the application's matter."""
    result = project.run(
        """
        from sqlalchemy import create_engine, text

        def test_it(database_url):
            engine = create_engine("postgresql+psycopg2://app@db.invalid/app")
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE hidden (n int)"))
                connection.execute(text("REVOKE ALL ON hidden FROM CURRENT_USER"))
                connection.execute(text("SELECT * FROM hidden"))
        """,
        "--tb=native",
    )
    result.stdout.fnmatch_lines(["*permission denied for table hidden*"])
    result.stdout.no_fnmatch_line("*Crucible connects*")


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("embedded", ORDINARY),
        ("container:postgres:17", ORDINARY),
        ("postgresql://me@db/postgres", "The tests connect as the role that crucible_server names, *"),
    ],
)
def test_the_reason_depends_on_the_server(server, why):
    """On a server of the user's own, the role is that of its URL."""
    advice = SuperuserHints(server).advice(Refusal("42501", "permission denied to create role", None, ValueError()))
    assert advice is not None
    assert advice.why == why or advice.why.startswith(why.rstrip("*"))


@pytest.mark.parametrize(
    ("server", "do"),
    [
        ("embedded", "Use a server that has it"),
        ("container", "Name an image that has it"),
        ("postgresql://me@db/postgres", "Ask an administrator to install it"),
    ],
)
def test_an_extension_that_the_server_lacks(server, do):
    """What can be done depends on the server."""
    text = 'extension "pgcrypto" is not available'
    advice = SuperuserHints(server).advice(Refusal("0A000", text, None, ValueError()))
    assert advice is not None
    assert advice.do.startswith(do)


def test_what_fills_the_template(project):
    """The error of a build says the same in place of its general advice, and no note says it again."""
    (project.root / "loading.py").write_text(
        "from sqlalchemy import text\ndef load(session):\n    session.execute(text('CREATE EXTENSION pgcrypto'))\n",
        "utf-8",
    )
    result = project.run("def test_it(database_url): pass", "--crucible-load=loading:load")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*TemplateError: The template could not be built: crucible_load = 'loading:load' failed: *",
            "*The statement was: CREATE EXTENSION pgcrypto",
            "*The embedded PostgreSQL lacks the extension pgcrypto. *",
            '*Use a server that has it: crucible_server = "container" *',
        ]
    )
    assert "\n".join(result.outlines).count("Use a server that has it") == 1
