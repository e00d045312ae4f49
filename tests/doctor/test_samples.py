"""Whole projects, built differently: what is wrong in them is found, and nothing else."""

import shutil
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_crucible.cli import main
from pytest_crucible.doctor import Diagnosis, case_of, diagnose

from .conftest import WELL

REPOSITORY = Path(__file__).parents[2]
SAMPLES = REPOSITORY / "tests" / "projects"

# What is found in each, apart from `crucible-off`: none of them uses Crucible yet.
EXPECTED = {
    "alembic_async": [],
    "anyio_project": [],
    "app_factory": ["event-loop-fixture"],
    "psycopg_sync": ["overrides-cleared", "session-shared", "testcontainers-moved"],
    "seed": [
        "commits-every-test",
        "container-per-worker",
        "event-loop-fixture",
        "faker-seed",
        "lifespan-not-run",
        "loop-scope-mismatch",
        "overrides-cleared",
        "session-shared",
        "testcontainers-moved",
        "url-unchanged",
    ],
    "sqlmodel": [],
    "src_layout": [],
}
# Projects that crucible init has tests of its own for.
ALSO_EXPECTED = {
    "advanced_alchemy": [],
    "fastapi_users": [],
    "monorepo": [],
    "monorepo/services/a": [],
    "monorepo/services/b": [],
    "poetry": [],
    "requirements_only": [],
    "suite_alembic": [],
    "suite_create_drop": ["overrides-cleared", "schema-per-test", "session-shared"],
    "suite_savepoint": ["session-shared"],
    "suite_template": [],
    "suite_truncate": [],
    "tox_ini": [],
}


def codes(root: Path) -> list[str]:
    diagnosis = diagnose(root, case=case_of(root, machine=WELL), without=("import", "server"))
    return sorted({finding.code for finding in diagnosis.findings} - {"crucible-off"})


@pytest.mark.parametrize("name", [*EXPECTED, *ALSO_EXPECTED])
def test_sample_projects(name: str):
    """In each sample project exactly the faults that it has are found."""
    assert codes(SAMPLES / name) == (EXPECTED | ALSO_EXPECTED)[name]


@pytest.mark.parametrize(
    "name", ["seed", *(pytest.param(name, marks=pytest.mark.slow) for name in EXPECTED if name != "seed")]
)
@pytest.mark.slow
def test_crucible_init_adds_nothing_to_warn_of(name: str, tmp_path: Path):
    """What crucible init writes is what crucible doctor asks for; the suite's own faults stay."""
    root = tmp_path / name
    shutil.copytree(SAMPLES / name, root)
    assert main(["init", "--root", str(root), "--yes"]) == 0
    diagnosis = diagnose(root, case=case_of(root, machine=WELL), without=("import", "server"))
    about = [finding for finding in diagnosis.findings if finding.severity != "note"]
    modules = {path.relative_to(SAMPLES / name).as_posix() for path in (SAMPLES / name).rglob("*.py")}
    assert [finding for finding in about if finding.file not in modules] == []
    assert "crucible-off" not in [finding.code for finding in diagnosis.findings]


def test_the_example_is_well():
    """Nothing is wrong with the example application."""
    assert codes(REPOSITORY / "examples" / "ledger") == []


def test_projects_inside_a_project_are_not_its_own(tmp_path: Path):
    """A folder with a configuration of pytest of its own is examined by itself."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest]\n")
    shutil.copytree(SAMPLES / "seed", tmp_path / "examples" / "seed")
    assert codes(tmp_path) == []
    assert codes(tmp_path / "examples" / "seed") == EXPECTED["seed"]


def packages_with_tests() -> list[Path]:
    """Return the installed packages that bring a conftest, those of the interpreter below the environment too."""
    below = sysconfig.get_path("purelib", vars={"base": sys.base_prefix})
    folders = [Path(folder) for folder in dict.fromkeys([sysconfig.get_path("purelib"), below])]
    files = [(folder, file) for folder in folders for file in folder.glob("*/**/conftest.py")]
    return sorted({folder / file.relative_to(folder).parts[0] for folder, file in files})


@pytest.mark.slow
def test_installed_packages_have_no_faults(subtests: pytest.Subtests):
    """The suites of well-kept packages, which use neither PostgreSQL nor an application, have no findings."""
    packages = packages_with_tests()
    assert packages
    for root in packages:
        with subtests.test(package=root.name):
            assert codes(root) == []


# What is wrong in the well-known recipe as it is written, and the finding that says so.
FAULTS = {
    1: ("commits-every-test", "trans.rollback() follows the block"),
    2: ("loop-scope-mismatch", "The session-scoped async fixture async_engine runs on a function loop"),
    3: ("event-loop-fixture", "A fixture event_loop is defined."),
    4: ("faker-seed", "faker_seed does not reach Polyfactory."),
    5: ("shared-headers", "authenticated_client changes the headers of async_client"),
    6: ("overrides-cleared", "All dependency overrides are cleared."),
    7: ("testcontainers-moved", "testcontainers.postgres is deprecated."),
    8: ("pytest-alembic", "pytest-alembic 0.13.1 is installed with pytest 9.2.0."),
    9: ("container-per-worker", "postgres_container starts a container in each worker"),
    10: ("lifespan-not-run", "does not run the application's lifespan"),
    11: ("session-shared", "The application and the test share one session, db_session."),
}
# It stands in the recipe, and not in its complete conftest.py.
AUTHENTICATED = """

@pytest.fixture
def authenticated_client(async_client, access_token):
    async_client.headers["Authorization"] = f"Bearer {access_token}"
    return async_client
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    root = tmp_path_factory.mktemp("recipe") / "seed"
    shutil.copytree(SAMPLES / "seed", root)
    with (root / "tests" / "conftest.py").open("a") as conftest:
        conftest.write(AUTHENTICATED)
    machine = replace(WELL, versions={**WELL.versions, "pytest-alembic": "0.13.1"})
    return diagnose(root, case=case_of(root, machine=machine), without=("import", "server"))


@pytest.mark.parametrize("number", FAULTS)
def test_each_fault_of_the_well_known_recipe_is_named(recipe: Diagnosis, number: int):
    """The recipe's conftest.py, as it is written, has each of its faults named."""
    code, words = FAULTS[number]
    [finding] = [finding for finding in recipe.findings if finding.code == code]
    assert words in finding.found


def test_the_replacement_that_does_nothing_is_named_too(recipe: Diagnosis):
    """The first of the recipe's two replacements in the container's URL has no effect."""
    assert "url-unchanged" in [finding.code for finding in recipe.findings]
