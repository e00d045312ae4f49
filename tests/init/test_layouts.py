"""Projects as they are found elsewhere."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import tomlkit

from pytest_crucible.scaffold.requirements import is_installed

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""


def options(project, *flags: str) -> dict[str, object]:
    code, printed = project.init("--yes", *flags)
    assert code == 0, printed
    assert project.init("--check", *flags)[0] == 0
    return tomlkit.parse(project.files()["pytest.toml"]).unwrap()["pytest"]


def test_tests_inside_the_package(copy):
    """Where app/tests is there without a test, the first tests go there."""
    project = copy()
    engine = 'from sqlalchemy import create_engine\nengine = create_engine("postgresql://localhost/shop")\n'
    project.write(app__models_py=MODELS, app__db_py=engine)
    (project.root / "app" / "tests").mkdir()
    (project.root / "app" / "tests" / "__init__.py").touch()
    found = options(project)
    assert found["testpaths"] == ["app/tests"]
    assert found["crucible_no_database"] == ["app/tests/unit"]
    assert "app/tests/integration/test_database.py" in project.files()


def test_tests_beside_the_code(copy):
    """Tests in the root are still found, which testpaths would rule out."""
    project = copy()
    project.write(models_py=MODELS, test_it_py="def test_it(): ...\n")
    assert "testpaths" not in options(project, "--modernize")


def test_tests_in_two_places(copy):
    """Both places are searched."""
    project = copy()
    project.write(models_py=MODELS, tests__test_it_py="def test_it(): ...\n", checks__test_it_py="def test_it(): ...\n")
    assert options(project, "--modernize")["testpaths"] == ["tests", "checks"]


def test_modules_of_the_suite_that_import_each_other(copy):
    """Importlib mode puts no folder of tests on sys.path: pythonpath does, where the suite needs it."""
    project = copy()
    project.write(
        models_py=MODELS,
        tests__numbers_py="FIVE = 5\n",
        tests__test_it_py="from numbers import FIVE\ndef test_it(): ...\n",
    )
    assert options(project, "--modernize")["pythonpath"] == ["tests", "."]


def test_a_package_of_tests_with_a_name_of_the_root(copy):
    """In a package, a bare name never meant the module beside it: the application's is imported."""
    project = copy()
    project.write(models_py=MODELS, tests__models_py="", tests__test_it_py="import models\n")
    (project.root / "tests" / "__init__.py").touch()
    assert options(project, "--modernize")["pythonpath"] == ["."]


def test_marks_that_nobody_registered(copy):
    """Strict markers would stop the suite: what it uses is registered, and nothing else."""
    project = copy()
    project.write(
        models_py=MODELS,
        tests__test_it_py="import pytest\npytestmark = pytest.mark.api\n"
        "@pytest.mark.slow\n@pytest.mark.skip\ndef test_it(): ...\n",
    )
    assert options(project, "--modernize")["markers"] == [
        "api: used in this suite",
        "slow: takes seconds",
    ]


def test_a_suite_without_marks(copy):
    """No marker is registered that the suite does not use."""
    project = copy()
    project.write(models_py=MODELS, tests__test_it_py="def test_it(): ...\n")
    assert "markers" not in options(project, "--modernize")


@pytest.mark.parametrize(("listed", "test"), [("", ""), ("pytest-asyncio\n", ""), ("", "async ")])
def test_options_of_a_plugin_that_will_not_be_there(copy, listed: str, test: str):
    """Strict pytest refuses options of pytest-asyncio without the plugin: a suite that does not use it gets none."""
    project = copy()
    project.write(
        models_py=MODELS,
        tests__test_it_py=f"{test}def test_it(): ...\n",
        requirements_txt=f"pytest\n{listed}",
        pytest_ini="[pytest]\naddopts = -q\n",
    )
    found = options(project, "--modernize")
    assert found["strict"] is True
    assert any(name.startswith("asyncio_") for name in found) == bool(listed or test)
    assert ("pytest-asyncio" in project.files()["requirements.txt"]) == bool(listed or test)


def test_a_plugin_of_which_compiled_files_are_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A plugin that was uninstalled is not there: pytest leaves its compiled files, which look like a package."""
    (tmp_path / "pytest_gone" / "__pycache__").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    assert find_spec("pytest_gone") is not None
    assert not is_installed("pytest-gone")
    assert is_installed("pytest-asyncio")


def test_a_unit_layer_that_uses_the_database(copy):
    """Where unit tests ask for the database already, they are not forbidden to."""
    project = copy()
    project.write(models_py=MODELS, tests__unit__test_it_py="def test_it(db_session): ...\n")
    assert "crucible_no_database" not in options(project)


def test_a_project_that_uses_crucible_already(copy):
    """What it builds its schema from, and what it forbids, stays as it says."""
    project = copy()
    project.write(models_py=MODELS, main_py="from fastapi import FastAPI\napp = FastAPI()\n")
    project.write(pytest_toml='[pytest]\ncrucible_metadata = ["models:Base"]\ntestpaths = ["tests"]\n')
    found = options(project)
    assert found["crucible_metadata"] == ["models:Base"]
    assert found["crucible_app"] == "main:app"
    assert "crucible_no_database" not in found


ENGINE = """
import os
from sqlalchemy import create_engine
engine = create_engine(os.environ["DATABASE_URL"])
"""


def test_the_options_that_first_tests_need(copy):
    """A project with options set by hand, and no tests, gets those that the tests rely on."""
    project = copy()
    project.write(models_py=MODELS, db_py=ENGINE, pytest_toml='[pytest]\ncrucible_metadata = ["models:Base"]\n')
    found = options(project)
    assert "engine.connect()" in project.files()["tests/unit/test_no_database.py"]
    assert found["crucible_no_database"] == ["tests/unit"]
    assert found["crucible_url_env"] == ["DATABASE_URL=postgresql+psycopg"]


def test_another_folder_that_is_forbidden_the_database(copy):
    """Where the project forbids other folders the database, and not the unit tests, no test says that it does."""
    project = copy()
    text = '[pytest]\ncrucible_metadata = ["models:Base"]\ncrucible_no_database = [{}]\n'
    project.write(models_py=MODELS, db_py=ENGINE, pytest_toml=text.format('"tests/pure"'))
    assert options(project)["crucible_no_database"] == ["tests/pure"]
    assert not (project.root / "tests" / "unit").exists()
    project.write(pytest_toml=text.format('"tests/"'))
    shutil.rmtree(project.root / "tests")
    assert options(project)["crucible_no_database"] == ["tests/"]
    assert (project.root / "tests" / "unit").exists()


@pytest.mark.slow
def test_first_tests_with_options_set_by_hand(copy):
    """They pass, with the options that are added."""
    project = copy()
    main = "import db\nfrom fastapi import FastAPI\napp = FastAPI()\n"
    text = '[pytest]\ncrucible_metadata = ["models:Base"]\ncrucible_app = "main:app"\n'
    project.write(models_py=MODELS, db_py=ENGINE, main_py=main, pytest_toml=text)
    _, printed = project.init("--yes", tried=True)
    assert "tried: application, schema, session and client work" in printed
    assert "3 passed" in project.pytest()


def test_a_project_whose_schema_scripts_make(copy):
    """A project that sets crucible_schema keeps it, and gets no other source of its schema."""
    project = copy("src_layout")
    text = project.files()["pyproject.toml"]
    project.write(pyproject_toml=f'{text}\n[tool.pytest]\ncrucible_schema = "db/schema.sql"\n')
    code, _ = project.init("--yes")
    assert code == 0
    assert "crucible_schema" in project.files()["pyproject.toml"]
    assert "crucible_metadata" not in project.files()["pyproject.toml"]


def test_an_engine_that_cannot_be_named(copy):
    """The unit layer has no test then, and no folder is forbidden the database that is not there."""
    project = copy()
    project.write(models_py=MODELS)
    assert "crucible_no_database" not in options(project)
    assert not (project.root / "tests" / "unit").exists()


def test_a_session_that_outlives_tests(copy):
    """A wide session is pointed out, what tests leave open on it is ended; a session maker is none."""
    project = copy()
    project.write(
        models_py=MODELS,
        tests__conftest_py="import pytest\nfrom sqlalchemy.orm import Session\n\n\n"
        "@pytest.fixture(scope='session')\ndef db():\n    with Session() as session:\n        yield session\n",
    )
    _, printed = project.init("--dry-run")
    assert "tests/conftest.py:5 db is a session of scope session" in printed
    maker = "import pytest\nfrom sqlalchemy.orm import sessionmaker\n\n\n@pytest.fixture(scope='session')\n"
    project.write(tests__conftest_py=f"{maker}def sessions(engine):\n    return sessionmaker(engine)\n")
    assert "of scope session" not in project.init("--dry-run")[1]


def test_an_application_on_sqlite(copy):
    """There is nothing for Crucible to lead to PostgreSQL, and the error says how it could be led."""
    project = copy()
    engine = 'import os\nfrom sqlalchemy import create_engine\nURL = os.getenv("DB", "sqlite:///app.db")\n'
    engine += "e = create_engine(URL)\n"
    project.write(models_py=MODELS, db_py=engine)
    code, printed = project.init("--yes")
    assert code == 1
    assert "The application's engine uses SQLite: db.py:4." in printed
    assert 'crucible_url_env = ["DATABASE_URL=postgresql+psycopg"], and run `crucible init` again.' in printed
    project.write(pytest_toml='[pytest]\ncrucible_metadata = ["models:Base"]\n')
    assert project.init("--yes")[0] == 0


SET = '[pytest]\ncrucible_url_env = ["DB=postgresql+psycopg"]\n'


def test_an_application_on_sqlite_by_default(copy):
    """With the variable in the configuration it goes on; not where the URL is a literal, which no variable changes."""
    project = copy()
    engine = "import os\nfrom sqlalchemy import create_engine\ne = create_engine({})\n"
    project.write(models_py=MODELS, db_py=engine.format('"sqlite:///app.db"'), pytest_toml=SET)
    assert project.init("--yes")[0] == 1
    project.write(db_py=engine.format('os.getenv("DB", "sqlite:///app.db")'))
    assert options(project)["crucible_metadata"] == ["models:Base"]
    assert 'crucible_url_env = ["DB=postgresql+psycopg"]' in project.files()["pytest.toml"]


@pytest.mark.slow
def test_first_tests_on_the_variable_of_an_application_on_sqlite(copy):
    """They run on PostgreSQL."""
    project = copy()
    engine = 'import os\nfrom sqlalchemy import create_engine\ne = create_engine(os.getenv("DB", "sqlite:///app.db"))\n'
    main = "import db\nfrom fastapi import FastAPI\napp = FastAPI()\n"
    project.write(models_py=MODELS, db_py=engine, main_py=main, pytest_toml=SET)
    _, printed = project.init("--yes", tried=True)
    assert "tried: application, schema, session and client work" in printed
    assert "crucible: embedded PostgreSQL" in project.pytest()


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ('create_async_engine(os.environ["DB"])', ["DB=postgresql+asyncpg"]),
        ('create_engine(os.getenv("DB"))', ["DB=postgresql+psycopg2"]),
        ('create_engine(URL)\nURL = os.environ.get("DB")', ["DB=postgresql+psycopg2"]),
        ('create_engine(os.getenv("DB", "postgresql://localhost/shop"))', None),
        ('create_engine(os.environ["DB"])\nother = create_engine(os.environ["OTHER"])', None),
    ],
)
def test_an_application_that_needs_its_url(copy, made, expected):
    """An application that cannot be imported without a variable gets it, for the driver that is required."""
    project = copy()
    engine = "import os\nfrom sqlalchemy import create_engine\nfrom sqlalchemy.ext.asyncio import create_async_engine\n"
    project.write(models_py=MODELS, db_py=f"{engine}engine = {made}\n", requirements_txt="psycopg2-binary\nasyncpg\n")
    assert options(project).get("crucible_url_env") == expected


def test_an_application_that_looks_at_the_host(copy):
    """A page would be refused: no test asks for one, and it is said why."""
    project = copy()
    app = "from fastapi import FastAPI\nfrom starlette.middleware.trustedhost import TrustedHostMiddleware\n"
    project.write(models_py=MODELS, main_py=app + "app = FastAPI()\napp.add_middleware(TrustedHostMiddleware)\n")
    code, printed = project.init("--yes")
    assert code == 0
    assert "No test calls the application, which uses TrustedHostMiddleware" in printed
    assert "tests/integration/test_api.py" not in project.files()


def test_several_bases(copy):
    """Every table of each base is selected from; bases of one name are told apart."""
    project = copy()
    project.write(models_py=MODELS, more_py=MODELS.replace("things", "others"))
    options(project)
    text = project.files()["tests/integration/test_database.py"]
    assert "from models import Base as Base1\nfrom more import Base as Base2\n" in text
    assert "    for metadata in (Base1.metadata, Base2.metadata):\n        for name, table in metadata.tables" in text


def test_a_suite_of_anyio_without_a_backend(copy):
    """Its conftest gets the fixture, and the import that the fixture needs."""
    project = copy()
    conftest = '"""D."""\nfrom __future__ import annotations\n\nimport os\n"a section"\n'
    project.write(models_py=MODELS, tests__conftest_py=conftest)
    project.write(tests__test_it_py="import pytest\npytestmark = pytest.mark.anyio\n")
    options(project)
    head, _, rest = project.files()["tests/conftest.py"].partition("\n\n\n")
    assert head == '"""D."""\nfrom __future__ import annotations\n\nimport pytest\nimport os\n"a section"'
    assert rest.startswith('@pytest.fixture(scope="session")\ndef anyio_backend() -> str:\n')


def test_an_engine_of_another_dialect(copy):
    """The unit layer shows its rule with the engine that Crucible leads to PostgreSQL."""
    project = copy()
    engines = 'cache = create_engine("sqlite://")\nengine = create_engine("postgresql+psycopg://localhost/shop")\n'
    project.write(models_py=MODELS, db_py=f"from sqlalchemy import create_engine\n{engines}")
    options(project)
    assert "engine.connect()" in project.files()["tests/unit/test_no_database.py"]
