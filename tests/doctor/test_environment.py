"""What is installed, other plugins, and this machine."""

from pathlib import Path

import pytest

from pytest_crucible.doctor import Machine
from pytest_crucible.doctor.checks.plugins import our_names
from pytest_crucible.doctor.probes.machine import Plugin, here, numbers

from .conftest import VERSIONS, WELL, Make

ASYNC = {"app/db.py": "from sqlalchemy.ext.asyncio import AsyncSession\n"}


def without(*names: str) -> dict[str, str]:
    return {name: version for name, version in VERSIONS.items() if name not in names}


@pytest.mark.parametrize(
    "lines", ["sqlalchemy>=2\nasyncpg", "sqlmodel\npytest-crucible", "SQLAlchemy[postgresql_psycopg] ~= 2.1"]
)
def test_greenlet_that_only_the_tests_have(project_of: Make, lines: str):
    """Greenlet that comes with the tests alone is missing in production."""
    files = {**ASYNC, "requirements.txt": f"{lines}\n", "pyproject.toml": "[tool.pytest]\n"}
    [finding] = project_of(files).found("greenlet-missing")
    assert "in production nothing does" in finding.why


@pytest.mark.parametrize(
    "line",
    [
        "sqlalchemy[asyncio]",
        "greenlet\nsqlalchemy",
        "sqlalchemy<2.1",
        "sqlalchemy~=2.0.30",
        "sqlalchemy[postgresql_asyncpg]",
        "sqlmodel[asyncio]",
        "sqlalchemy\nfastapi-users-db-sqlalchemy",
        "pytest\npytest-crucible",
    ],
)
def test_greenlet_that_is_asked_for(project_of: Make, line: str):
    """The extra, greenlet itself, what brings it, or an SQLAlchemy that does; or SQLAlchemy is listed elsewhere."""
    files = {**ASYNC, "requirements.txt": f"{line}\n", "pyproject.toml": "[tool.pytest]\n"}
    assert project_of(files).found("greenlet-missing") == []


def test_greenlet_before_it_was_optional(project_of: Make):
    """SQLAlchemy 2.0 installs it, and a synchronous application needs none."""
    old = without("greenlet") | {"sqlalchemy": "2.0.44"}
    assert project_of(ASYNC).on(versions=old).found("greenlet-missing") == []
    synchronous = project_of({"app/db.py": "from sqlalchemy.orm import Session\n"}).on(versions=without("greenlet"))
    assert synchronous.found("greenlet-missing") == []


@pytest.mark.parametrize(
    ("plugin", "pytest_version", "found"),
    [("0.13.1", "9.2.0", 1), ("0.13.1", "9.1.1", 0), ("0.13.2", "9.2.0", 0), ("0.12.0", "9.3.1", 1)],
)
def test_pytest_alembic(project_of: Make, plugin: str, pytest_version: str, found: int):
    """pytest-alembic up to 0.13.1 stops every run of pytest 9.2 and later."""
    versions = VERSIONS | {"pytest-alembic": plugin, "pytest": pytest_version}
    findings = project_of().on(versions=versions).found("pytest-alembic")
    assert len(findings) == found
    assert all("'TestCollector' object has no attribute '_nodeid'" in finding.why for finding in findings)


def test_versions_that_are_too_old_or_too_new(project_of: Make):
    """What Crucible is not made for is named, with what to install."""
    versions = VERSIONS | {"sqlalchemy": "2.0.9", "pytest-asyncio": "0.23.8"}
    findings = project_of().on(versions=versions, python="3.9.18").found("version-unsupported")
    said = " ".join(f"{finding.found} {finding.do}" for finding in findings)
    assert "Python 3.9.18" in said
    assert 'sqlalchemy 2.0.9 is installed. Run: pip install "sqlalchemy<2.2,>=2.0.30"' in said
    assert "pytest-asyncio 0.23.8" in said
    assert [one.severity for one in findings if "pytest-asyncio" in one.found] == ["error"]
    assert {one.severity for one in findings if "pytest-asyncio" not in one.found} == {"warning"}
    assert project_of().on(WELL).found("version-unsupported") == []


def plugin(folder: Path, name: str, text: str) -> Plugin:
    path = folder / f"{name.replace('-', '_')}.py"
    path.write_text(f"import pytest\n{text}", "utf-8")
    return Plugin(name, (path,))


def test_a_plugin_with_a_fixture_of_crucible_s(project_of: Make, tmp_path: Path):
    """A fixture that Crucible has too is hidden, where Crucible is on."""
    other = plugin(tmp_path, "pytest-other", "@pytest.fixture\ndef db_session(): ...\n")
    assert project_of().on(plugins=(other,)).found("names-clash") == []
    [finding] = project_of(on=True).on(plugins=(other,)).found("names-clash")
    assert "pytest-other and Crucible both have a fixture db_session." in finding.found


def test_the_plugins_here_do_not_clash(project_of: Make):
    """Those that our own tests run with claim different names."""
    assert project_of(on=True).on(plugins=here().plugins).found("names-clash") == []
    assert {"pytest-asyncio", "anyio", "pytest-xdist"} <= {plugin.name for plugin in here().plugins}


def test_fixtures_in_place_of_crucible_s(project_of: Make):
    """A fixture of the project's with a name of Crucible's wins; one that asks for Crucible's extends it."""
    text = "import pytest\n\n@pytest.fixture\ndef db_session({asks}):\n    return None\n"
    patient = project_of({"tests/conftest.py": text.format(asks="")}, on=True)
    [finding] = patient.found("fixture-shadowed")
    assert (finding.file, finding.line, finding.severity) == ("tests/conftest.py", 4, "note")
    extended = patient.write({"tests/conftest.py": text.format(asks="db_session")})
    assert extended.found("fixture-shadowed") == []


def test_crucible_s_own_fixtures_are_known():
    """They are read from its own modules."""
    assert {"db_session", "sync_session", "async_client", "async_engine", "database_url", "crucible"} <= our_names()


def test_this_machine_is_seen():
    """What a case is about is what is here."""
    machine = here()
    assert machine.has("pytest", "sqlalchemy")
    assert machine.version("pytest") >= (9,)
    assert machine.cpus >= 1
    assert machine.room


def test_what_an_uninstallation_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A distribution without a name or a version, as an interrupted pip leaves it, is no traceback."""
    for name, file, text in (
        ("gone", "entry_points.txt", "[pytest11]\ngone = gone\n"),
        ("half", "METADATA", "Metadata-Version: 2.1\nName: half\n"),
    ):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / file).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    machine = here()
    assert not machine.has("gone")
    assert machine.version("half") == ()
    assert machine.requires["pytest-xdist"]


@pytest.mark.parametrize(
    ("version", "release"), [("2.1.9", (2, 1, 9)), ("2.1.0b2", (2, 1, 0)), ("18", (18,)), ("", ()), ("dev", ())]
)
def test_releases_are_compared_as_numbers(version: str, release: tuple[int, ...]):
    """A version's leading numbers are its release."""
    assert numbers(version) == release


@pytest.mark.parametrize(
    ("code", "machine", "severity", "said"),
    [
        ("room", {"room": {"/shm": 50 << 20, "/tmp": 60 << 20}}, "error", "no room"),  # noqa: S108
        ("room", {"room": {"/shm": 64 << 20, "/tmp": 9 << 30}}, "note", "/shm has 64 MB free, /tmp has 9216 MB free"),  # noqa: S108
        ("cache", {"cache_error": "Permission denied: /home/a"}, "error", "Permission denied"),
        ("cache", {"cache_room": 1 << 20}, "warning", "has 1 MB left"),
        ("file-descriptors", {"descriptors": 256}, "warning", "256 files"),
        ("runs-as-root", {"root": True}, "note", "run as root"),
    ],
)
def test_machines_that_are_too_small(project_of: Make, code: str, machine: dict[str, object], severity: str, said: str):
    """Room, permissions and limits that a server or its cache will run into."""
    [finding] = project_of().on(**machine).found(code)
    assert finding.severity == severity
    assert said in finding.found
    assert finding.do


def test_a_machine_on_which_all_is_well(project_of: Make):
    """Enough of everything is no finding; neither is little room for a server that runs elsewhere."""
    well = project_of(on=True).codes()
    assert not {"room", "cache", "file-descriptors", "runs-as-root"}.intersection(well)
    full = Machine(versions=VERSIONS, room={"memory": 0}, root=True)
    patient = project_of(on=True, extra='crucible_server = "postgresql://localhost/postgres"\n').on(full)
    assert not {"room", "runs-as-root"}.intersection(patient.codes())
