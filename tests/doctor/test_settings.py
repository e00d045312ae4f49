"""Crucible's own settings, pytest's configuration, and what importing the project does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_crucible.doctor import case_of
from pytest_crucible.doctor.probes.imported_project import inspected

from .conftest import Make

MODELS = """
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    class Base(DeclarativeBase): pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
"""
MAIN = """
    from fastapi import FastAPI
    import app.models

    app = FastAPI()
"""
LOST = """
    from sqlalchemy.orm import Mapped, mapped_column
    from app.models import Base

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
"""
APP = {"app/__init__.py": "", "app/models.py": MODELS, "app/main.py": MAIN}
WITH_IMPORT = ("server",)


def test_crucible_is_off(project_of: Make):
    """A project without a schema of Crucible's is told how to begin."""
    [finding] = project_of().found("crucible-off")
    assert (finding.file, finding.severity) == ("pyproject.toml", "note")
    assert "crucible init" in finding.do
    assert project_of(on=True).found("crucible-off") == []


def test_a_value_that_an_option_does_not_take(project_of: Make):
    """The option's own message is the finding, at its line."""
    [finding] = project_of(on=True, extra='crucible_isolation = "rolback"\n').found("setting-wrong")
    assert (finding.file, finding.line) == ("pyproject.toml", 16)
    assert "there is no isolation 'rolback'" in finding.found
    assert 'Did you mean "rollback"?' in finding.do


def test_an_option_that_does_not_exist(project_of: Make):
    """A misspelt name gets the one that was meant."""
    [finding] = project_of(on=True, extra='crucible_isolaton = "reset"\n').found("setting-wrong")
    assert finding.found == "There is no option crucible_isolaton."
    assert finding.do == "Did you mean crucible_isolation?"


def test_a_wrong_variable(project_of: Make, monkeypatch: pytest.MonkeyPatch):
    """The environment is read as a run would read it."""
    monkeypatch.setenv("CRUCIBLE_SERVER", "mysql://localhost")
    [finding] = project_of(on=True).found("setting-wrong")
    assert finding.file == ""
    assert "CRUCIBLE_SERVER" in finding.found


def test_paths_that_are_not_there(project_of: Make):
    """Folders and files that a setting names must be there."""
    patient = project_of(on=True, extra='crucible_no_database = ["tests/unit"]\ncrucible_alembic = "alembic.ini"\n')
    assert [finding.line for finding in patient.found("path-missing")] == [16, 17]
    patient.write({"tests/unit/test_it.py": "", "alembic.ini": "[alembic]\nscript_location = migrations\n"})
    assert patient.found("path-missing") == []


def test_migrations_that_are_not_there(project_of: Make):
    """alembic.ini must lead to a folder with an env.py."""
    patient = project_of(
        {"alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n"},
        on=True,
        extra='crucible_alembic = "alembic.ini"\n',
    )
    [finding] = patient.found("migrations-missing")
    assert finding.file == "alembic.ini"
    assert "There is no env.py in migrations." in finding.found
    assert patient.write({"migrations/env.py": ""}).found("migrations-missing") == []


def test_scripts_that_are_not_there(project_of: Make):
    """An entry of crucible_schema must match a file, and migrations must not be named beside it."""
    patient = project_of(on=True, extra='crucible_schema = ["db/*.sql"]\n')
    [finding] = patient.found("schema-wrong")
    assert (finding.file, finding.line) == ("pyproject.toml", 16)
    assert "no file matches 'db/*.sql'" in finding.found
    assert patient.write({"db/schema.sql": ""}).found("schema-wrong") == []
    both = project_of({"a.sql": ""}, on=True, extra='crucible_schema = "a.sql"\ncrucible_alembic = "alembic.ini"\n')
    [finding] = both.found("schema-wrong")
    assert "two sources" in finding.found


def test_a_configuration_that_pytest_does_not_read(project_of: Make):
    """pytest takes the first file and says nothing of the others."""
    patient = project_of({"pytest.ini": "[pytest]\naddopts = -q\n"})
    [finding] = patient.found("configuration-ignored")
    assert finding.file == "pyproject.toml"
    assert finding.found == "pytest reads pytest.ini, and not the configuration in pyproject.toml."


def test_a_module_that_does_not_parse(project_of: Make):
    """A module with a syntax error is named; the others are examined."""
    patient = project_of({"app/bad.py": "def f(:\n", "tests/test_it.py": "def test_it(event_loop): ..."})
    [finding] = patient.found("unreadable-module")
    assert (finding.file, finding.line) == ("app/bad.py", 1)
    assert finding.found == "Python 3.13.0 cannot parse it: SyntaxError: invalid syntax"
    assert len(patient.found("event-loop-fixture")) == 1


@pytest.mark.parametrize(
    ("files", "extra", "place"),
    [
        ({}, 'crucible_extensions = ["pgcrypto"]\n', ("pyproject.toml", 16)),
        ({"app/main.py": 'SQL = "CREATE EXTENSION IF NOT EXISTS pgcrypto"\n'}, "", ("app/main.py", 1)),
        ({"app/main.py": "SQL = 'create extension \"pgcrypto\" schema public'\n"}, "", ("app/main.py", 1)),
    ],
)
def test_extensions_that_are_missing(project_of: Make, files: dict[str, str], extra: str, place: tuple[str, int]):
    """What the embedded server lacks is found in the settings and in SQL."""
    [finding] = project_of(files, on=True, extra=extra).found("extension-missing")
    assert (finding.file, finding.line) == place
    assert "lacks the extension pgcrypto" in finding.found
    assert 'crucible_server = "container"' in finding.do


def test_extensions_that_are_there(project_of: Make):
    """citext comes with the embedded server; another server is asked itself; a name that is put in is not known."""
    named = {"app/main.py": 'SQL = f"CREATE EXTENSION IF NOT EXISTS {name}"\n'}
    assert project_of(named, on=True).found("extension-missing") == []
    assert project_of(on=True, extra='crucible_extensions = ["citext"]\n').found("extension-missing") == []
    other = 'crucible_extensions = ["pgcrypto"]\ncrucible_server = "postgresql://localhost/postgres"\n'
    assert project_of(on=True, extra=other).found("extension-missing") == []


def test_models_that_nobody_imports(project_of: Make):
    """A model in a module that neither the application nor the base's module imports is missing from the schema."""
    [finding] = project_of({**APP, "app/orders.py": LOST}, on=True).found("model-not-imported")
    assert (finding.file, finding.line) == ("app/orders.py", 5)
    assert finding.found.startswith("The model Order is in no module that")


@pytest.mark.parametrize(
    "files",
    [
        {"app/main.py": MAIN + "\n    from app import orders\n"},
        {"app/main.py": MAIN + "\n    from .routes import orders\n", "app/routes.py": "import app.orders as orders\n"},
        {"app/__init__.py": "from app.orders import Order\n"},
    ],
)
def test_models_that_are_imported(project_of: Make, files: dict[str, str]):
    """An import on any way from the application, also through a package, brings the table."""
    assert project_of({**APP, "app/orders.py": LOST, **files}, on=True).found("model-not-imported") == []


@pytest.mark.slow
def test_models_that_are_imported_where_no_parser_sees_it(project_of: Make):
    """Modules that are imported by name at run time are seen when the project may be imported."""
    main = (
        "import importlib\n"
        + MAIN.replace("    ", "")
        + "\nfor name in ['orders']:\n    importlib.import_module('app.' + name)\n"
    )
    patient = project_of({**APP, "app/main.py": main, "app/orders.py": LOST}, on=True)
    assert len(patient.found("model-not-imported")) == 1
    assert patient.found("model-not-imported", without=WITH_IMPORT) == []


def test_a_type_checking_import_imports_nothing(project_of: Make):
    """An import for type checkers alone brings no table."""
    main = (
        MAIN + "\n    from typing import TYPE_CHECKING\n    if TYPE_CHECKING:\n        from app.orders import Order\n"
    )
    assert (
        len(project_of({**APP, "app/main.py": main, "app/orders.py": LOST}, on=True).found("model-not-imported")) == 1
    )


@pytest.mark.slow
def test_imports_that_work(project_of: Make):
    """What the settings name is imported without a finding."""
    assert project_of(APP, on=True).found("import-fails", without=WITH_IMPORT) == []


@pytest.mark.slow
def test_imports_that_fail(project_of: Make):
    """Each path that leads nowhere is named with the message that a run would give."""
    patient = project_of(
        APP, on=True, extra='crucible_load = "app.data:load"\ncrucible_get_session = "app.main:get_dv"\n'
    )
    patient.write({"app/main.py": MAIN + "\n    def get_db(): ...\n"})
    load, session = patient.found("import-fails", without=WITH_IMPORT)
    assert (load.file, load.line) == ("pyproject.toml", 16)
    assert "there is no module 'app.data'" in load.found
    assert (session.line, session.do) == (17, "Did you mean 'get_db'?")


NEEDS_URL = """
    import os
    from fastapi import FastAPI
    from sqlalchemy import create_engine
    from app.models import Base

    engine = create_engine(os.environ["ORDERS_URL"])
    assert engine.driver == "psycopg"
    app = FastAPI()
"""


@pytest.mark.slow
@pytest.mark.parametrize("server", ["embedded", pytest.param("container", marks=pytest.mark.slow)])
def test_the_variable_of_a_url_is_set_for_the_import(project_of: Make, server: str, monkeypatch: pytest.MonkeyPatch):
    """An application that reads its URL from the environment is imported with the variable that a run sets."""
    monkeypatch.delenv("ORDERS_URL", raising=False)
    extra = f'crucible_server = "{server}"\ncrucible_url_env = ["ORDERS_URL=postgresql+psycopg"]\n'
    patient = project_of({**APP, "app/main.py": NEEDS_URL}, on=True, extra=extra)
    assert patient.found("import-fails", without=WITH_IMPORT) == []


@pytest.mark.slow
def test_the_command_that_shows_a_failed_import(project_of: Make):
    """The command in the advice sets the variables and the path with which the import has failed."""
    extra = 'crucible_url_env = ["ORDERS_URL=postgresql+psycopg"]\npythonpath = ["lib"]\n'
    patient = project_of({**APP, "app/main.py": "raise ValueError('no')\n"}, on=True, extra=extra)
    [finding, *_] = patient.found("import-fails", without=WITH_IMPORT)
    command = re.search(
        r"`(PYTHONPATH=lib ORDERS_URL=.*postgresql\+psycopg://.* python -c .import app.main.)`", finding.do
    )
    assert command is not None
    words = ["sh", "-c", command[1].replace(" python ", f" {sys.executable} ")]
    done = subprocess.run(words, cwd=patient.root, capture_output=True, text=True, check=False)
    assert "ValueError: no" in done.stderr


@pytest.mark.slow
def test_a_variable_that_no_option_names(project_of: Make, monkeypatch: pytest.MonkeyPatch):
    """An application that needs a variable which nothing sets is told of it, and of the option."""
    monkeypatch.delenv("ORDERS_URL", raising=False)
    [finding, *_] = project_of({**APP, "app/main.py": NEEDS_URL}, on=True).found("import-fails", without=WITH_IMPORT)
    assert "ORDERS_URL" in finding.found
    assert 'crucible_url_env = ["ORDERS_URL=postgresql+psycopg"]' in finding.do


HAS_SETTINGS = """
    from fastapi import FastAPI
    from pydantic import PostgresDsn, TypeAdapter
    from sqlalchemy import create_engine
    from app.models import Base
    import os

    url = TypeAdapter(PostgresDsn).validate_python(os.environ["ORDERS_URL"])
    engine = create_engine(os.environ["ORDERS_URL"])
    app = FastAPI()
"""


@pytest.mark.slow
def test_a_variable_that_needs_a_host(project_of: Make, monkeypatch: pytest.MonkeyPatch):
    """The variable of a PostgresDsn is offered with a host, also where it is named without one."""
    monkeypatch.delenv("ORDERS_URL", raising=False)
    entry = "ORDERS_URL=postgresql+psycopg@localhost"
    files = {**APP, "app/main.py": HAS_SETTINGS}
    [finding, *_] = project_of(files, on=True).found("import-fails", without=WITH_IMPORT)
    assert f'crucible_url_env = ["{entry}"]' in finding.do
    plain = 'crucible_url_env = ["ORDERS_URL=postgresql+psycopg"]\n'
    [finding, *_] = project_of(files, on=True, extra=plain).found("import-fails", without=WITH_IMPORT)
    assert f"Name a host in crucible_url_env: {entry} " in finding.do
    following = project_of(files, on=True, extra=f'crucible_url_env = ["{entry}"]\n')
    assert following.found("import-fails", without=WITH_IMPORT) == []


@pytest.mark.slow
def test_an_application_that_connects_while_it_is_imported(project_of: Make):
    """Nothing connects while doctor imports: it is a note, since in a run the connection is redirected."""
    main = "from sqlalchemy import create_engine\nfrom app.models import Base\n"
    main += 'Base.metadata.create_all(bind=create_engine("postgresql+psycopg://db.invalid/app"))\n'
    [finding] = project_of({**APP, "app/main.py": main}, on=True).found("import-fails", without=WITH_IMPORT)
    assert finding.found == "The module connects to a database while it is imported."
    assert finding.severity == "note"


@pytest.mark.slow
def test_an_application_that_needs_its_conftest(project_of: Make, monkeypatch: pytest.MonkeyPatch):
    """A variable that the suite's conftest sets is no error; one that it does not set still is."""
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    conftest = "import os\nfrom .values import VALUE\nos.environ['ENVIRONMENT'] = VALUE\nfrom app.main import app\n"
    files = {**APP, "tests/__init__.py": "", "tests/values.py": "VALUE = 'test'\n", "tests/conftest.py": conftest}
    needs = files | {"app/main.py": MAIN + '\n    import os\n    assert os.environ["ENVIRONMENT"] == "test"\n'}
    [finding] = project_of(needs, on=True).found("import-fails", without=WITH_IMPORT)
    assert (finding.file, finding.severity) == ("pyproject.toml", "note")
    assert finding.found.startswith("The application needs what tests/conftest.py sets. Without it: crucible_app = ")
    other = needs | {"tests/values.py": "VALUE = 'other'\n"}
    [finding, *_] = project_of(other, on=True).found("import-fails", without=WITH_IMPORT)
    assert finding.severity == "error"
    assert "KeyError: 'ENVIRONMENT'" in finding.found


@pytest.mark.parametrize(
    "line", ["import os; os._exit(3)", pytest.param("raise SystemExit(3)", marks=pytest.mark.slow)]
)
def test_an_application_that_ends_the_process(project_of: Make, line: str):
    """A project that exits while it is imported does not take doctor down."""
    [finding] = project_of({**APP, "app/main.py": f"{line}\n"}, on=True).found("import-fails", without=WITH_IMPORT)
    assert finding.found.startswith("Importing the application ends the process with 3")


@pytest.mark.slow
def test_an_application_that_hangs(project_of: Make):
    """A project that waits while it is imported is given up."""
    patient = project_of({**APP, "app/main.py": "import time\ntime.sleep(60)\n"}, on=True)
    failure = inspected(case_of(patient.root).settings, (), seconds=1).failure
    assert failure is not None
    assert failure.found == "Importing the application takes longer than 1 seconds."


def test_an_interpreter_that_does_not_run(project_of: Make, monkeypatch: pytest.MonkeyPatch):
    """An interpreter that this user may not run is said, and not a traceback."""
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    [finding] = project_of(APP, on=True).found("import-fails", without=WITH_IMPORT)
    assert "/nowhere/python does not run" in finding.found


@pytest.mark.slow
def test_an_application_that_prints(project_of: Make, capfd: pytest.CaptureFixture[str]):
    """What the project prints does not end up in the answer."""
    patient = project_of({**APP, "app/main.py": MAIN + '\n    print("hello")\n'}, on=True)
    assert patient.found("import-fails", without=WITH_IMPORT) == []
    assert "hello" not in capfd.readouterr().out


def test_the_project_is_not_imported_unless_it_may(project_of: Make, tmp_path: Path):
    """Without leave to import, no line of the project runs."""
    mark = tmp_path / "imported"
    project_of({**APP, "app/main.py": f"open({str(mark)!r}, 'w')\n"}, on=True).codes()
    assert not mark.exists()


@pytest.mark.slow
def test_pythonpath_is_honoured(project_of: Make):
    """Folders of pytest's pythonpath are where the project is imported from."""
    files = {f"backend/{name}": text for name, text in APP.items()}
    assert len(project_of(files, on=True).found("import-fails", without=WITH_IMPORT)) > 0
    assert (
        project_of(files, on=True, extra='pythonpath = ["backend"]\n').found("import-fails", without=WITH_IMPORT) == []
    )
