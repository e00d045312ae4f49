"""What is written follows the suite and Alembic, and is never taken from what cannot be imported."""

import re

import pytest
import tomlkit

from pytest_crucible.doctor import diagnose
from pytest_crucible.project import modules

APP = """
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine("postgresql+asyncpg://shop:x@db.invalid/shop")
Session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase): ...


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)


async def get_maker():
    yield Session


async def get_db(make=Depends(get_maker)):
    async with make() as session:
        yield session


@app.get("/")
async def index(db: AsyncSession = Depends(get_db)) -> int:
    return len((await db.execute(select(Thing))).all())
"""
TEST = "def test_it(): ...\n"
ENV = """
from alembic import context
from shop import models
target_metadata = models.metadata
context.configure(target_metadata=target_metadata)
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class {name}(DeclarativeBase): ...


class Thing({name}):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def options(project, *flags: str) -> dict[str, object]:
    code, printed = project.init("--yes", *flags)
    assert code == 0, printed
    return tomlkit.parse(project.files()["pytest.toml"]).unwrap()["pytest"]


def test_the_folder_of_alembic_is_no_package(copy):
    """`alembic/` at the root has the library's name: models are named where their own module is."""
    project = copy()
    project.write(shop_py=APP, tests__test_it_py=TEST)
    project.write(alembic__env_py="from shop import Base\nfrom alembic import context\ncontext.configure()\n")
    assert options(project)["crucible_metadata"] == ["shop:Base"]


def test_code_that_is_no_part_of_the_application(copy):
    """Bases, applications and functions of revisions, docs, examples and files without a module name are not taken."""
    project = copy()
    aside = MODELS.format(name="Other") + "from fastapi import FastAPI\napp = FastAPI()\n"
    token = "def create_access_token(user): ...\n"
    project.write(shop_py=APP, tests__test_it_py=TEST)
    project.write(docs__snippet_py=aside, shop_plugins__examples__a_py=aside + token, docs__conf_py=token)
    revision = f"revision = 'a'\ndown_revision: str | None = None\n{aside}{token}"
    project.write(**{"migrations__versions__a_py": revision, "scripts__2024-fix_py": aside})
    found = options(project)
    assert found["crucible_metadata"] == ["shop:Base"]
    assert found["crucible_app"] == "shop:app"
    assert "crucible_access_token" not in found


def test_the_target_metadata_of_alembic(copy):
    """Of several bases, the schema is that of env.py's target, named in the module that defines it."""
    project = copy()
    project.write(
        shop__models_py=MODELS.format(name="Base") + "metadata = Base.metadata\n",
        shop__legacy_py=MODELS.format(name="Old"),
        migrations__env_py=ENV,
        alembic_ini="[alembic]\nscript_location = migrations\n",
        tests__test_it_py=TEST,
    )
    _, printed = project.init("--dry-run")
    assert "models: shop.models:Base (shop/models.py:5, target_metadata of Alembic's env.py)" in printed
    assert options(project)["crucible_metadata"] == ["shop.models:Base"]


def test_the_application_that_the_tests_import(copy):
    """Of several applications, the tests' own is the one; no question is asked about another order."""
    project = copy()
    project.write(shop_py=APP, admin_py="from fastapi import FastAPI\napp = FastAPI()\n")
    project.write(tests__conftest_py="from shop import app\n", tests__test_it_py=TEST)
    assert options(project)["crucible_app"] == "shop:app"
    assert "application: shop:app (shop.py:8, the tests import it)" in project.init("--check")[1]


SHARED = """
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shop import app, engine, get_db


@pytest.fixture
async def connection():
    async with engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()


@pytest.fixture
async def session(connection):
    yield AsyncSession(connection)


@pytest.fixture(autouse=True)
def overridden(session):
    {override}
    yield
    app.dependency_overrides.clear()
"""


@pytest.mark.parametrize(
    "override",
    [
        "app.dependency_overrides[get_db] = lambda: session",
        "app.dependency_overrides.update({get_db: lambda: session})",
        "def give():\n        yield session\n    app.dependency_overrides[get_db] = give",
    ],
)
def test_a_session_in_an_outer_transaction(copy, override: str):
    """A suite that gives the application its own session, and rolls back, gets rollback isolation with that key."""
    project = copy()
    project.write(shop_py=APP, tests__conftest_py=SHARED.format(override=override), tests__test_it_py=TEST)
    found = options(project)
    assert found["crucible_isolation"] == "rollback"
    assert found["crucible_get_session"] == "shop:get_db"


def test_a_session_of_its_own(copy):
    """Without an outer transaction, isolation stays as it is, and the session dependency is not named."""
    project = copy()
    conftest = SHARED.format(override="app.dependency_overrides[get_db] = lambda: session")
    conftest = conftest.replace("transaction = await connection.begin()", "").replace(
        "await transaction.rollback()", ""
    )
    project.write(shop_py=APP, tests__conftest_py=conftest, tests__test_it_py=TEST)
    assert options(project).keys() == {"crucible_app", "crucible_metadata"}


OTHERS = {
    "a user made in the session": ("get_user", "user", "return Thing(session)"),
    "a maker": ("get_maker", "make", "return async_sessionmaker(engine)"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_an_override_of_something_else(copy, kind: str):
    """A fixture that uses a session, or makes sessions, makes no session dependency of what it overrides."""
    key, name, body = OTHERS[kind]
    conftest = SHARED.format(override=f"app.dependency_overrides[{key}] = lambda: {name}")
    conftest = conftest.replace("overridden(session)", f"overridden({name})").replace("get_db", key)
    conftest += f"\n\n@pytest.fixture\ndef {name}(connection):\n    session = AsyncSession(connection)\n    {body}\n"
    project = copy()
    source = f"{APP}\n\ndef get_user(): ...\n"
    project.write(shop_py=source, tests__conftest_py=conftest, tests__test_it_py=TEST)
    assert options(project).keys() == {"crucible_app", "crucible_metadata"}


def test_a_new_suite_takes_a_dependency_that_yields_a_session(copy):
    """One that yields a sessionmaker, and one that only raises, are none."""
    project = copy()
    stub = "async def get_session():\n    raise NotImplementedError\n    yield\n\n\nasync def get_maker("
    project.write(shop_py=APP.replace("async def get_maker(", stub).replace("Thing))", "Thing)), Depends(get_session)"))
    assert options(project)["crucible_get_session"] == "shop:get_db"


def test_what_is_made_with_a_session_is_none(copy):
    """A dependency that is given a session, and yields an object that is made with it, is no candidate."""
    project = copy()
    user_db = "\n\nasync def get_user_db(session: AsyncSession = Depends(get_db)):\n    yield UserDatabase(session)\n"
    user = "\n\nasync def get_user(users=Depends(get_user_db)): ...\n"
    project.write(shop_py=APP + user_db + user)
    code, printed = project.init("--yes")
    assert code == 0
    assert "Several functions that yield a session" not in printed


@pytest.mark.parametrize(
    ("function", "is_one"),
    [
        ("def create_access_token(user_id: int, expires_delta=None)", True),
        ("def create_access_token(data: dict)", True),
        ("def make_token(subject)", True),
        ("def generate_token(api_key, api_secret)", False),
        ("def create_access_token()", False),
        ("def create_refresh_token(user)", False),
        ("def make_state(user)", False),
        ("def create_access_token(user, secret)", False),
    ],
)
def test_token_functions(copy, function: str, is_one: bool):
    """A token function has a name that says so, and takes a user or a subject, and nothing that is not known."""
    project = copy()
    project.write(shop_py=f"{APP}\n\n{function}: return jwt.encode({{}}, '')\n", tests__test_it_py=TEST)
    assert ("crucible_access_token" in options(project)) == is_one


SETTINGS = """
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")
    database_url: PostgresDsn


settings = Settings()
"""
ALIAS = """
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    url: str = Field(alias="SHOP_DATABASE_URL")


def get():
    return Settings()
"""
READ = {
    "another module": ("from settings import URL\n", 'import os\nURL = os.environ["SHOP_DATABASE_URL"]\n', "URL"),
    "its attribute": ("import settings\n", 'import os\nURL = os.environ["SHOP_DATABASE_URL"]\n', "settings.URL"),
    "a settings class": ("from settings import settings\n", SETTINGS, "str(settings.database_url)"),
    "an alias": ("from settings import get\n", ALIAS, "get().url"),
    "a library": ("import settings\n", 'URL = env("SHOP_DATABASE_URL")\n', "settings.URL"),
    "the second of two": ("import os\n", "", 'None or os.environ["SHOP_DATABASE_URL"]'),
    "a condition": ("import os, settings\n", "", 'settings.url if settings.url else os.environ["SHOP_DATABASE_URL"]'),
    "a text with more": ("import os\n", "", """f"{os.environ['SHOP_DATABASE_URL']}?ssl=disable" """),
    "nothing that leads there": ("import settings\n", 'import os\nos.environ["SHOP_DATABASE_URL"]\n', "make()"),
}


@pytest.mark.parametrize("place", READ)
def test_a_variable_that_the_application_needs(copy, place: str):
    """The variable of the engine's URL is found wherever it is read."""
    imports, settings, url = READ[place]
    project = copy()
    project.write(
        settings_py=settings,
        shop_py=imports + APP.replace('"postgresql+asyncpg://shop:x@db.invalid/shop"', url),
        tests__test_it_py=TEST,
    )
    assert options(project)["crucible_url_env"] == ["SHOP_DATABASE_URL=postgresql+asyncpg"]


IN_FILE = """
from pydantic_settings import BaseSettings, SettingsConfigDict

class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=("default.env", ".env"))
    shop_database_url: str
"""
IN_CLASS = """
from pydantic_settings import BaseSettings

class Settings(BaseSettings):
    class Config:
        env_file = "default.env"
    shop_database_url: str
"""
LOADED = "from dotenv import load_dotenv\nload_dotenv()\n"
LINE = "export SHOP_DATABASE_URL = 'postgresql://x'\n"
GIVEN = {
    "a file of a settings class": (IN_FILE, {"default_env": LINE}, True),
    "a file of a settings class, in small letters": (IN_FILE, {"default_env": LINE.lower()}, True),
    "the second file": (IN_FILE, {"_env": LINE}, True),
    "a file of an inner class": (IN_CLASS, {"default_env": LINE}, True),
    "a file that is loaded": (LOADED, {"_env": LINE}, True),
    "a file that git ignores": (LOADED, {"_env": LINE, "_gitignore": "/.env*\n"}, False),
    "a file that nothing names": ("", {"_env": LINE}, False),
    "a file without the value": (LOADED, {"_env": "SHOP_DATABASE_URL=\nA=1\n"}, False),
    "a file with SQLite": (LOADED, {"_env": "SHOP_DATABASE_URL=sqlite:///a.db\n"}, False),
    "pytest-env": ("", {"pytest_toml": '[pytest]\nenv = ["D:SHOP_DATABASE_URL=postgresql://x"]\n'}, True),
    "a table of pytest-env": (
        "",
        {"pytest_toml": '[pytest]\n[pytest_env]\nSHOP_DATABASE_URL = "postgresql://x"\n'},
        True,
    ),
    "pytest-dotenv": ("", {"pytest_toml": '[pytest]\nenv_files = ["t.env"]\n', "t_env": LINE}, True),
}


@pytest.mark.parametrize("place", GIVEN)
def test_a_variable_that_a_file_gives_a_value(copy, place: str):
    """A value in a file of the repository is a default: the option is not written."""
    settings, files, is_given = GIVEN[place]
    project = copy()
    app = APP.replace('"postgresql+asyncpg://shop:x@db.invalid/shop"', 'os.environ["SHOP_DATABASE_URL"]')
    project.write(settings_py=settings, shop_py=f"import os\nimport settings\n{app}", tests__test_it_py=TEST, **files)
    expected = None if is_given else ["SHOP_DATABASE_URL=postgresql+asyncpg"]
    assert options(project).get("crucible_url_env") == expected


MADE = """
import os
from sqlalchemy.ext.asyncio import create_async_engine

def init({arguments}):
    global engine
    {first}
    engine = create_async_engine({url})
"""
ASKED = 'os.environ["SHOP_DB"]'
IN_FUNCTIONS = {
    "an argument, or it": ("url=None", "pass", f"url or {ASKED}", True),
    "a default": (f"url={ASKED}", "pass", "url", True),
    "a default by keyword": (f"*, url={ASKED}", "pass", "str(url)", True),
    "an assignment": ("url=None", f"url = url or {ASKED}", "make_url(url)", True),
    "a literal default": (
        "url=None",
        "pass",
        "os.environ.get('SHOP_DB') or 'postgresql+asyncpg://a@db.invalid/a'",
        False,
    ),
    "a part of a URL": ("", "pass", """f"postgresql+asyncpg://a:{os.environ['SHOP_DB']}@db.invalid/a" """, False),
}


@pytest.mark.parametrize("place", IN_FUNCTIONS)
def test_a_variable_that_a_function_reads(copy, place: str):
    """The variable is found in a function that makes the engine; not if there is a default, or it is no URL."""
    arguments, first, url, is_found = IN_FUNCTIONS[place]
    project = copy()
    project.write(shop__models_py=MODELS.format(name="Base"), tests__test_it_py=TEST)
    project.write(shop__db_py=MADE.format(arguments=arguments, first=first, url=url))
    expected = ["SHOP_DB=postgresql+asyncpg"] if is_found else None
    assert options(project).get("crucible_url_env") == expected


ADVANCED = """
from advanced_alchemy.base import UUIDAuditBase


class Thing(UUIDAuditBase):
    name: Mapped[str]
"""
REGISTRY = """
from sqlalchemy.orm import registry

mapped = registry()


@mapped.mapped
class Thing:
    __tablename__ = "things"
"""
IMPERATIVE = """
from sqlalchemy import Column, Integer, Table
from sqlalchemy.orm import registry

mapped = registry()
things = Table("things", mapped.metadata, Column("id", Integer, primary_key=True))


class Thing: ...


mapped.map_imperatively(Thing, things)
"""
SHARED_METADATA = """
from sqlalchemy import MetaData, Table
from sqlalchemy.orm import DeclarativeBase

shared = MetaData()


class Base(DeclarativeBase):
    metadata = shared


class Thing(Base):
    __tablename__ = "things"


others = Table("others", shared)
"""
IMPORTED = """
from common.orm import Base, Timestamps
from sqlalchemy.orm import Mapped, mapped_column


class Thing(Timestamps, Base):
    __tablename__ = "things"
"""
BASES = {
    "another project's": (IMPORTED, "Base"),
    "another project's, by its module": (
        "from common import orm\nclass Thing(orm.Model): id: Mapped[int] = mapped_column(primary_key=True)\n",
        "orm.Model",
    ),
    "advanced-alchemy": (ADVANCED, "UUIDAuditBase"),
    "advanced-alchemy, by its module": (
        "from advanced_alchemy.extensions.litestar import base\nclass Thing(base.UUIDBase): ...\n",
        "base.UUIDBase",
    ),
    "a registry": (REGISTRY, "mapped"),
    "imperative tables": (IMPERATIVE, "mapped"),
    "a base with a MetaData": (SHARED_METADATA, "Base"),
    "SQLModel": ("from sqlmodel import SQLModel\nclass Thing(SQLModel, table=True): ...\n", "SQLModel"),
}


@pytest.mark.parametrize("kind", BASES)
def test_kinds_of_bases(copy, kind: str):
    """Each kind of base is found, and named once."""
    source, expected = BASES[kind]
    project = copy()
    project.write(shop__models_py=source, tests__test_it_py=TEST)
    assert options(project)["crucible_metadata"] == [f"shop.models:{expected}"]


NO_BASES = {
    "a class without a table": "from common.orm import Base\nclass Thing(Base): ...\n",
    "a schema of pydantic": "from pydantic import BaseModel\nclass Thing(BaseModel): __tablename__ = 'things'\n",
    "a base that a function of the project makes": "from shop.make import Base\nfrom other import Mixin\n"
    "class Thing(Mixin, Base): __tablename__ = 'things'\n",
}


@pytest.mark.parametrize("kind", NO_BASES)
def test_classes_without_a_base_that_can_be_named(copy, kind: str):
    """A class that maps no table, or whose base the project makes in an unreadable way, names no base."""
    project = copy()
    project.write(shop__models_py=NO_BASES[kind], shop__make_py="Base = made()\n", tests__test_it_py=TEST)
    code, printed = project.init("--yes")
    assert code == 1
    assert "There is no declarative base" in printed


def test_options_that_were_set_by_hand(copy):
    """A base and an application that cannot be found are accepted where the options name them."""
    project = copy()
    mine = '[pytest]\ncrucible_app = "shop:make"\ncrucible_metadata = ["shop:Base"]\n'
    project.write(shop_py="Base, make = made()\n", pytest_toml=mine, tests__test_it_py=TEST)
    assert project.init("--yes")[0] == 0
    assert project.files()["pytest.toml"] == mine
    code, printed = project.init("--check")
    assert (code, "Everything is set up" in printed) == (0, True)
    assert "application: shop:make, as set" in printed


def test_a_suite_on_several_databases(copy):
    """Bases that are created on engines of different databases make further databases."""
    project = copy()
    project.write(
        shop_py=MODELS.format(name="Base")
        + "from sqlalchemy import create_engine\nengine = create_engine('postgresql+psycopg://a@db.invalid/shop')\n"
        "numbers = create_engine('postgresql+psycopg://a@db.invalid/analytics')\n",
        stats_py=MODELS.format(name="Stats"),
        tests__test_it_py=TEST,
        tests__conftest_py="from shop import Base, engine, numbers\nfrom stats import Stats\n"
        "with engine.begin() as connection:\n    Base.metadata.create_all(connection)\n"
        "Stats.metadata.create_all(bind=numbers)\n",
    )
    found = options(project)
    assert found["crucible_metadata"] == ["shop:Base"]
    assert found["crucible_databases"] == ["analytics=stats:Stats"]


@pytest.mark.parametrize("text", ["", "asyncio_mode = strict\n"])
def test_asynchronous_tests_without_a_mode(copy, text: str):
    """Unmarked asynchronous tests get the mode that they need; a mode that is set stays."""
    project = copy()
    project.write(shop_py=APP, pytest_ini=f"[pytest]\n{text}", tests__test_it_py="async def test_it(): ...\n")
    assert project.init("--yes")[0] == 0
    found = re.findall(r"(asyncio_\w+) = (\w+)", project.files()["pytest.ini"])
    assert found == [("asyncio_mode", "strict" if text else "auto")]


WIDE = """
import pytest
from sqlalchemy import text
from shop import engine

@pytest.fixture(scope="session", autouse=True)
async def setup_database():
    async with engine.begin() as connection:
        await connection.execute(text("select 1"))
    yield
"""


@pytest.mark.slow
def test_asynchronous_wide_fixtures_without_a_mode(copy):
    """A suite gets no scope of loops: its wide asynchronous fixtures run, and the doctor finds no fault in them."""
    project = copy()
    test = "from sqlalchemy import text\nfrom shop import engine\n\n"
    test += (
        "@pytest.mark.parametrize('_', 'ab')\nasync def test_it(_):\n    async with engine.connect() as connection:\n"
    )
    test += "        assert await connection.scalar(text('select 1')) == 1\n"
    project.write(shop_py=APP, tests__conftest_py=WIDE, tests__test_it_py=f"import pytest\n{test}")
    assert project.init("--yes")[0] == 0
    assert "loop_scope" not in project.files()["pytest.toml"]
    assert "2 passed" in project.pytest()
    assert "loop-scope-mismatch" not in [one.code for one in diagnose(project.root, without=["server"]).findings]


def test_upper_bounds_stay(copy):
    """A bound that admits pytest 9 stays as it is; one that does not is raised, below an upper bound that can stay."""
    project = copy()
    project.write(shop_py=APP, tests__test_it_py=TEST)
    project.write(requirements_txt="pytest>=8,<10\npytest-asyncio<2,!=1.0,==0.*\n")
    project.init("--yes")
    lines = project.files()["requirements.txt"].splitlines()
    assert lines[0] == "pytest>=8,<10"
    assert re.fullmatch(r"pytest-asyncio!=1.0,<2,>=1.\d", lines[1])
    assert lines[2].startswith("pytest-crucible>=")


def test_an_ini_file_stays_one(copy):
    """In a suite that is configured by tox.ini, the options are lines of that section."""
    project = copy()
    before = "[tox]\nenvlist = py311\n\n[pytest]\n# fast\naddopts = -q\n\n[flake8]\nx = 1\n"
    project.write(shop_py=APP, tox_ini=before, tests__test_it_py=TEST)
    assert project.init("--yes")[0] == 0
    added = "crucible_app = shop:app\ncrucible_metadata =\n    shop:Base\n"
    assert project.files()["tox.ini"] == before.replace("addopts = -q\n", f"addopts = -q\n{added}")
    assert project.init("--check")[0] == 0


def test_each_module_is_parsed_once(copy, monkeypatch: pytest.MonkeyPatch):
    """No module is parsed twice, and tests that show nothing are not parsed: a large repository takes seconds."""
    parsed: list[str] = []
    parse = modules._parsed

    def counted(source: str) -> modules.Syntax:
        parsed.append(source)
        return parse(source)

    monkeypatch.setattr(modules, "_parsed", counted)
    project = copy()
    plain = "def test_one():\n    assert 1\n"
    project.write(shop_py=APP, more_py="import shop\n", tests__test_it_py=plain)
    project.write(tests__conftest_py=SHARED.format(override="..."))
    options(project)
    assert len(parsed) == len(set(parsed)) == 3
    assert plain not in parsed
