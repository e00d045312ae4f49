"""Settings are tried on a copy before they are written, and what was not tried is said."""

import os
from pathlib import Path

import pytest

from pytest_crucible.scaffold import trial
from pytest_crucible.settings import too_old

APP = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
{first}

engine = create_async_engine("postgresql+asyncpg://shop:x@db.invalid/shop")


class Base(DeclarativeBase): ...


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)


@asynccontextmanager
async def lifespan(app):
    {start}
    yield


app = FastAPI(lifespan=lifespan)
"""


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, init_cache: Path) -> None:
    monkeypatch.setenv("CRUCIBLE_CACHE", str(init_cache))
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "COV_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def project(copy):
    return copy()


def app(first: str = "", start: str = "...") -> str:
    return APP.format(first=first, start=start)


def written(project) -> str:
    return project.files().get("pytest.toml", "")


@pytest.mark.slow
def test_the_first_candidate_that_works_is_written(project):
    """An application that cannot be imported is said, with the cause, and the next one is tried in its place."""
    project.write(
        main_py="from fastapi import FastAPI\nimport shop\napp = FastAPI()\nraise RuntimeError('half done')\n"
    )
    project.write(shop_py=app(first="open('trace', 'w').close()"))
    code, printed = project.init("--yes", tried=True)
    assert code == 0
    assert (
        "tried: application fails:\n    crucible_app = 'main:app': importing main raises RuntimeError: half" in printed
    )
    assert "tried: application, schema, session and client work" in printed
    assert 'crucible_app = "shop:app"' in written(project)
    assert "trace" not in project.files()


@pytest.mark.slow
def test_what_a_lifespan_needs(project):
    """A client that fails is no reason to take another application: it is written, and the cause is said."""
    project.write(shop_py=app(start="raise ConnectionError('no redis')"), tests__test_it_py="def test_it(): ...\n")
    code, printed = project.init("--yes", tried=True)
    assert code == 0
    assert "tried: application, schema and session work, client fails:" in printed
    assert "no redis" in printed
    assert 'crucible_app = "shop:app"' in written(project)


DSN = """
import os
from dataclasses import dataclass, field


@dataclass
class Configuration:
    dsn: str = field(default_factory=lambda: os.environ["SHOP_DSN"])
"""
CLIENT = """
import pytest
from httpx import ASGITransport, AsyncClient
from shop import app


@pytest.fixture
async def client():
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client
"""


def test_a_variable_that_is_read_when_the_engine_is_made(project):
    """A variable that a default_factory reads, and create_engine gets, is found without a trial."""
    engine = "from settings import Configuration\ndef make(): return create_async_engine(Configuration().dsn)"
    project.write(shop_py=app(first=engine), settings_py=DSN)
    project.init("--yes")
    assert 'crucible_url_env = ["SHOP_DSN=postgresql+asyncpg"]' in written(project)


@pytest.mark.slow
def test_a_variable_that_a_lifespan_misses(project):
    """The next candidate sets it, if its name is that of a database's URL."""
    start = "from settings import Configuration\n    Configuration()"
    project.write(shop_py=app(start=start), settings_py=DSN)
    _, printed = project.init("--yes", tried=True)
    assert "client fails:\n    KeyError: 'SHOP_DSN'" in printed
    assert "tried: application, schema, session and client work" in printed
    assert 'crucible_url_env = ["SHOP_DSN=postgresql+asyncpg"]' in written(project)
    assert "failed" not in project.pytest()


@pytest.mark.slow
def test_a_variable_of_something_else(project):
    """It is named; and no client is named for Crucible's, which fails without it."""
    start = "from settings import Configuration\n    Configuration()"
    project.write(shop_py=app(start=start), settings_py=DSN.replace("SHOP_DSN", "SHOP_KEY"))
    project.write(tests__conftest_py=CLIENT, tests__test_it_py="def test_it(): ...\n")
    _, printed = project.init("--yes", tried=True)
    assert "The application needs the variable SHOP_KEY: set it in the conftest or by pytest-env" in printed
    assert "async_client instead" not in printed
    assert "client: delete lines" in project.init("--yes")[1]
    assert "crucible_url_env" not in written(project)


@pytest.mark.slow
def test_an_application_that_needs_its_conftest(project):
    """What only the suite's conftest sets is no failure: the application is imported after it, and no more is tried."""
    project.write(
        shop_py=app(first="import os; os.environ['SHOP_SECRET']"),
        tests__conftest_py="import os\nos.environ['SHOP_SECRET'] = 'x'\nfrom shop import app\n",
        tests__test_it_py="def test_it(): ...\n",
    )
    _, printed = project.init("--yes", tried=True)
    assert (
        "\nnot tried, because the application needs what the suite's conftest sets; after it, it can be imported\n"
        in printed
    )
    assert 'crucible_app = "shop:app"' in written(project)


@pytest.mark.slow
def test_a_requirement_that_is_not_installed(project):
    """Without what the application imports nothing can be tried: the settings are written, and it is said."""
    project.write(shop_py=app(first="import nosuchlibrary"))
    code, printed = project.init("--yes", tried=True)
    assert code == 0
    assert "not tried, because nosuchlibrary is not installed here" in printed
    assert 'crucible_app = "shop:app"' in written(project)


def test_a_plugin_that_is_too_old(project, monkeypatch: pytest.MonkeyPatch):
    """The settings are right where only the versions are too old: they are written, with the command that helps."""
    printed_by_pytest = f"ERROR: {too_old('pytest-asyncio', '0.21.1')}\n\n"
    monkeypatch.setattr(trial, "_pytest", lambda *_: (printed_by_pytest, False))
    project.write(shop_py=app())
    code, printed = project.init("--yes", tried=True)
    assert code == 0
    assert (
        "not tried, because pytest-crucible needs pytest-asyncio 1.0, found 0.21.1: "
        'pip install "pytest-asyncio>=1.0"' in printed
    )
    assert 'crucible_app = "shop:app"' in written(project)


@pytest.mark.slow
def test_settings_that_are_refused(project):
    """What Crucible refuses is never written."""
    project.write(shop_py="from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): ...\n")
    code, printed = project.init("--yes", tried=True)
    assert code == 1
    assert "Crucible refuses what `crucible init` would write: crucible_metadata: shop:Base knows no table." in printed
    assert list(project.files()) == ["shop.py"]


@pytest.mark.slow
def test_a_trial_takes_no_longer_than_its_limit(project, monkeypatch: pytest.MonkeyPatch):
    """An application that never ends its import is given up."""
    monkeypatch.setattr(trial, "LIMIT", 2.0)
    project.write(shop_py=app(first="import time; time.sleep(60)"))
    assert "not tried, because the trial took longer than 2 seconds" in project.init("--yes", tried=True)[1]


def test_nothing_is_imported_without_consent(project, monkeypatch: pytest.MonkeyPatch):
    """`--no-try`, a run that only shows, and a no to the question import nothing."""
    monkeypatch.setattr("builtins.input", lambda question: "n")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    trace = project.root.parent / "trace"
    project.write(shop_py=app(first=f"open({str(trace)!r}, 'w').close()"))
    assert "not tried, because --no-try declines it" in project.init("--yes", "--no-try", tried=True)[1]
    (project.root / "pytest.toml").unlink()
    assert "not tried, because only --yes agrees" in project.init("--dry-run", tried=True)[1]
    assert "not tried, because you decline it" in project.init(tried=True)[1]
    assert not trace.exists()


SECURED = """
from fastapi import Depends
from fastapi.security import HTTPBearer


@app.get("/me", dependencies=[Depends(HTTPBearer())])
def me(): ...


@app.get("/health")
def health(): ...
"""


@pytest.mark.slow
def test_the_routes_of_an_application_with_security(project):
    """A new suite gets a test that the routes refuse strangers, with the public ones listed, and it passes."""
    project.write(shop_py=app() + SECURED)
    assert project.init("--yes", tried=True)[0] == 0
    text = project.files()["tests/integration/test_routes.py"]
    assert '        "GET /health",\n' in text
    assert "/me" not in text
    assert "failed" not in project.pytest()


@pytest.mark.slow
def test_routes_that_answer_without_credentials(project):
    """A route that declares security and does not ask for it is said, and no test is written that would fail."""
    project.write(shop_py=app() + SECURED.replace("HTTPBearer()", "HTTPBearer(auto_error=False)"))
    _, printed = project.init("--yes", tried=True)
    assert "No test of the routes is written: GET /me declare security, and answer without credentials" in printed
    assert "tests/integration/test_routes.py" not in project.files()


SETTINGS = """
import os
from pydantic import BaseModel, PostgresDsn


class BaseSettings(BaseModel):
    def __init__(self):
        super().__init__(database_url=os.environ.get("DATABASE_URL", {default}))


class Settings(BaseSettings):
    database_url: {type}


settings = Settings()
"""
URL = '"postgresql+asyncpg://shop:x@db.invalid/shop"'
HOSTED = "DATABASE_URL=postgresql+asyncpg@localhost"


def with_settings(project, default: str) -> None:
    text = app(first="from settings import settings").replace(URL, "str(settings.database_url)", 1)
    project.write(settings_py=SETTINGS.format(default=default, type="PostgresDsn"), shop_py=text)


@pytest.mark.slow
def test_a_variable_whose_url_the_application_refuses(project):
    """Where a field wants a host in the URL, the variable is tried and written with one, and the run is green."""
    with_settings(project, default="None")
    code, printed = project.init("--yes", tried=True)
    assert code == 0
    assert "tried: application fails:" in printed
    assert f"Name a host in crucible_url_env: {HOSTED} " in printed
    assert f"variable: {HOSTED} (crucible_url_env)" in printed
    assert "tried: application, schema, session and client work" in printed
    assert 'crucible_app = "shop:app"' in written(project)
    assert f'crucible_url_env = ["{HOSTED}"]' in written(project)
    assert "failed" not in project.pytest()


@pytest.mark.slow
def test_a_variable_whose_url_the_application_refuses_with_a_host(project):
    """A variable with which the application fails in both forms is not written, where it works without."""
    with_settings(project, default='"postgresql+asyncpg://shop@db.invalid/shop"')
    code = (project.root / "settings.py").read_text("utf-8")
    project.write(settings_py=f"{code}assert '?host=' not in str(settings.database_url)\n")
    _, printed = project.init("--yes", tried=True)
    assert printed.count("tried: application fails:") == 2
    assert "tried: application, schema, session and client work" in printed
    assert "crucible_url_env" not in written(project)


@pytest.mark.slow
def test_a_refused_variable_that_the_conftest_sets(project):
    """A URL that a type of field refuses is tried with a host before the conftest, which may set another."""
    with_settings(project, default="None")
    conftest = f"import os\nos.environ['DATABASE_URL'] = {URL}\nfrom shop import app\n"
    project.write(tests__conftest_py=conftest, tests__test_it_py="def test_it(): ...\n")
    _, printed = project.init("--yes", tried=True)
    assert "the suite's conftest sets" not in printed
    assert "tried: application, schema, session and client work" in printed
    assert f'crucible_url_env = ["{HOSTED}"]' in written(project)
    assert "1 passed" in project.pytest()


@pytest.mark.slow
def test_a_driver_that_needs_the_url(project):
    """An application that opens a pool of asyncpg gets the variable that the trial's hint names."""
    pool = "from settings import settings\n    await (await asyncpg.create_pool(settings.database_url)).close()"
    project.write(settings_py=SETTINGS.format(default='"postgresql://shop@127.0.0.1:1/shop"', type="str"))
    project.write(shop_py=app(first="import asyncpg", start=pool).replace(f"engine = create_async_engine({URL})", ""))
    _, printed = project.init("--yes", tried=True)
    assert "tried: application, schema and session work, client fails:" in printed
    assert "tried: application, schema, session and client work" in printed
    assert 'crucible_url_env = ["DATABASE_URL=postgresql"]' in written(project)
    assert "failed" not in project.pytest()


@pytest.mark.slow
def test_files_above_the_project(project):
    """A ``.env`` in a folder above is there in the copy; another file is named where the application misses it."""
    root = project.root
    project.root = root / "backend"
    (root / ".env").write_text("SECRET", "utf-8")
    project.write(shop_py=app(first="assert open('../.env').read() == 'SECRET'"))
    assert "tried: application, schema, session and client work" in project.init("--yes", tried=True)[1]
    (root / "secret.txt").write_text("SECRET", "utf-8")
    (project.root / "pytest.toml").unlink()
    project.write(shop_py=app(first="assert open('../secret.txt').read() == 'SECRET'"))
    _, printed = project.init("--yes", tried=True)
    assert "not tried, because the copy has no ../secret.txt, which the application reads" in printed


@pytest.mark.slow
def test_paths_of_the_copy(project):
    """A cause names the folders of the project, and not those of the copy."""
    project.write(shop_py=app(first="raise RuntimeError(__file__)"))
    _, printed = project.init("--yes", tried=True)
    assert f"RuntimeError: {project.root / 'shop.py'}" in printed
    assert "crucible-init-" not in printed


@pytest.mark.slow
def test_what_is_said_after_a_failed_trial(project):
    """The next step names what will fail; a second run tries again, and does not say that everything is set up."""
    project.write(shop_py=app(first="raise RuntimeError('no key')"))
    _, printed = project.init("--yes", tried=True)
    assert "requirements-dev.txt, then mend what has failed (`crucible doctor` says more)" in printed
    code, printed = project.init("--yes", tried=True)
    assert "Nothing to write, but pytest will fail where it needs the application, as the trial did:\n" in printed
    assert "RuntimeError: no key" in printed
    assert (code, "Everything is set up" in printed) == (0, False)
    assert "Everything is set up: nothing to write." in project.init("--yes", "--no-try")[1]
    project.write(shop_py=app())
    assert "Everything is set up: nothing to write." in project.init("--yes", tried=True)[1]
