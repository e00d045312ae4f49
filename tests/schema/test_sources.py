"""The fingerprint of a schema that scripts and callables make, and its place among the other sources."""

from __future__ import annotations

import pytest

from pytest_crucible.errors import UsageError
from pytest_crucible.migrations.migrations import with_scripts
from pytest_crucible.recipes import recipe_of, refuse_missing
from pytest_crucible.settings import resolve


def test_what_shapes_scripts(project):
    """A change of a script, a new one, and another order are another template; nothing else is."""
    project.write("db/1.sql", "CREATE TABLE a (id int)")
    project.write("db/2.sql", "CREATE TABLE b (id int)")
    project.write("db/notes.txt", "one")
    seen = [project.fingerprint("db/*.sql")]
    project.write("db/notes.txt", "two")
    assert project.fingerprint("db/*.sql") == seen[0]
    assert project.fingerprint("db") == seen[0]
    seen.append(project.fingerprint("db/2.sql", "db/1.sql"))
    project.write("db/2.sql", "CREATE TABLE b (id bigint)")
    seen.append(project.fingerprint("db/*.sql"))
    project.write("db/3.sql", "")
    seen.append(project.fingerprint("db/*.sql"))
    assert len(set(seen)) == 4


def test_what_shapes_a_callable(project, monkeypatch):
    """Its module, what that imports of the project, models too, declared files and variables are part of it."""
    project.write("db/1.sql", "one")
    project.write(f"other_{project.number}.py", "from sqlalchemy import MetaData, Table\nt = Table('t', MetaData())")
    text = f"import other_{project.number}\n@pytest_crucible.reads('db/*.sql', '$SIZE')\ndef build(): ..."
    path = project.module(text)
    seen = [project.fingerprint(path)]
    assert project.fingerprint(path) == seen[0]
    project.write("db/1.sql", "two")
    seen.append(project.fingerprint(path))
    project.write(f"other_{project.number}.py", "from sqlalchemy import MetaData, Table\nt = Table('u', MetaData())")
    seen.append(project.fingerprint(path))
    monkeypatch.setenv("SIZE", "9")
    seen.append(project.fingerprint(path))
    project.module(text + "\n# changed")
    seen.append(project.fingerprint(path))
    assert len(set(seen)) == 5


def test_built_once(project, work, ask):
    """The template is kept, and the reason for another one names the script that changed."""
    project.write("db/1.sql", "CREATE TABLE a (id int)")
    worker = work("db/*.sql")
    ask(worker, "SELECT 1 FROM a")
    assert worker.main.template.built
    again = work("db/*.sql", run="bbbbbbbb")
    ask(again, "SELECT 1 FROM a")
    assert not again.main.template.built
    project.write("db/1.sql", "CREATE TABLE a (id bigint)")
    later = work("db/*.sql", run="cccccccc")
    ask(later, "SELECT 1 FROM a")
    assert later.main.template.reason == "template built anew, because of db/1.sql"


@pytest.mark.parametrize("entry", ["db/nothing.sql", "db/*.sql", "db", "elsewhere/*.sql"])
def test_an_entry_without_files(project, entry):
    """It ends the run before anything is collected, and says what is there instead."""
    project.write("db/schema.psql", "")
    with pytest.raises(UsageError, match="no file matches") as caught:
        refuse_missing(project.settings(entry))
    assert caught.value.do
    assert ("schema.psql" in caught.value.why) == entry.startswith("db")


def test_two_sources(project):
    """Alembic and scripts for one database contradict each other."""
    project.write("a.sql", "")
    settings = project.settings("a.sql", alembic="alembic.ini")
    for check in (refuse_missing, recipe_of):
        with pytest.raises(UsageError, match=r"two sources: alembic\.ini, and 'a\.sql'"):
            check(settings)


def test_metadata_beside_it(project, work, ask):
    """Where metadata is set too, the scripts make the schema, and nothing else is in it."""
    project.write("a.sql", "CREATE TABLE a (id int)")
    models = project.module("from sqlalchemy import Column, Integer, MetaData, Table\nbuild = MetaData()\n"
                            "Table('b', build, Column('id', Integer))")  # fmt: skip
    worker = work("a.sql", metadata=(models,))
    assert ask(worker, "SELECT to_regclass('a') IS NULL, to_regclass('b') IS NULL") == [(False, True)]


def test_further_databases(project, work, ask):
    """An entry of ``crucible_databases`` may name scripts, or a callable, for a database of its own."""
    project.write("a.sql", "CREATE TABLE a (id int)")
    project.write("stats.sql", "CREATE TABLE b (id int)")
    path = project.module("@pytest_crucible.reads()\ndef build(connection):\n"
                          "    connection.exec_driver_sql('CREATE TABLE c (id int)')")  # fmt: skip
    worker = work("a.sql", databases=("stats=stats.sql", f"audit={path}"))
    for name, table in ((None, "a"), ("stats", "b"), ("audit", "c")):
        worker.ready(name)
        assert worker.address(name)
        recipe = recipe_of(worker.settings.by_database()[name])
        assert table in recipe.ddl()
    assert ask(worker, "SELECT 1 FROM a") == []


def test_the_first_database_of_several(project):
    """Where only ``crucible_databases`` is set, its first entry is the main database."""
    project.write("stats.sql", "CREATE TABLE b (id int)")
    settings = project.settings(databases=("stats=stats.sql",))
    assert settings.on
    assert list(settings.by_database()) == ["stats"]
    refuse_missing(settings)
    with pytest.raises(UsageError, match=r"crucible_databases: no file matches 'nothing\.sql'"):
        refuse_missing(project.settings(databases=("stats=nothing.sql",)))


SUITES = {
    "a list": ("pyproject.toml", '[tool.pytest]\ncrucible_schema = ["db/schema.sql"]'),
    "a string in TOML": ("pyproject.toml", '[tool.pytest]\ncrucible_schema = "db/schema.sql"'),
    "pytest.toml": ("pytest.toml", '[pytest]\ncrucible_schema = "db/schema.sql"'),
    "ini_options": ("pyproject.toml", '[tool.pytest.ini_options]\ncrucible_schema = "db/schema.sql"'),
    "pytest.ini": ("pytest.ini", "[pytest]\ncrucible_schema = db/schema.sql"),
}


@pytest.mark.parametrize("spelling", SUITES)
def test_spellings(spelling, pytester, server_cache, monkeypatch):
    """One entry may be a string in every configuration file; a wrong type is an error that says what to write."""
    file, text = SUITES[spelling]
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    pytester.path.joinpath(file).write_text(
        text
        + "\nasyncio_default_fixture_loop_scope = QUOTED\n".replace(
            "QUOTED", '"function"' if "toml" in file else "function"
        )
    )
    result = pytester.runpytest_inprocess("--collect-only", "-p", "no:cacheprovider")
    result.stderr.fnmatch_lines("*crucible_schema: no file matches 'db/schema.sql'*")
    assert result.ret == 4
    pytester.mkdir("db").joinpath("schema.sql").write_text("CREATE TABLE a (id int)")
    result = pytester.runpytest_inprocess("--collect-only", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines("*crucible_schema = *db/schema.sql* (configuration file)")


def test_a_number_in_the_file(pytester):
    """A value that is neither a list nor a string is an error that shows one."""
    pytester.makepyprojecttoml("[tool.pytest]\nasyncio_default_fixture_loop_scope = 'function'\ncrucible_schema = 42\n")
    result = pytester.runpytest_inprocess()
    result.stderr.fnmatch_lines(
        ["*crucible_schema (configuration file)*", '*Write crucible_schema = ?"db/schema.sql"?']
    )


def test_a_configuration_of_alembic(project):
    """alembic.ini in crucible_schema is an error that names crucible_alembic."""
    with pytest.raises(UsageError, match=r'crucible_alembic = "alembic\.ini"'):
        resolve(project.root, flags={}, environ={}, file={"crucible_schema": ["alembic.ini"]})


def test_a_misspelt_path(project):
    """The path of a callable that is written as a file's is an error with the right spelling."""
    with pytest.raises(UsageError, match=r"Write 'tests\.schema:build'"):
        resolve(project.root, flags={}, environ={}, file={"crucible_schema": "tests/schema.py:build"})


def test_a_folder_for_a_further_database(project):
    """An entry of crucible_databases may name a folder of scripts."""
    file = {"crucible_databases": ["stats=db/stats", "audit=audit/*.sql", "bills=bills/alembic.ini"]}
    shapes = resolve(project.root, flags={}, environ={}, file=file).by_database()
    assert [shape.schema for shape in shapes.values()] == [("db/stats",), ("audit/*.sql",), ()]
    assert shapes["bills"].alembic == "bills/alembic.ini"


def test_checks_of_migrations(project):
    """A check of migrations, which needs Alembic, says so where scripts make the schema."""
    project.write("a.sql", "")
    with pytest.raises(UsageError, match="crucible_schema"):
        with_scripts(project.settings("a.sql"))
