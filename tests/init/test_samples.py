"""`crucible init` on the sample projects, each built differently."""

import ast
import re
import shutil
from pathlib import Path

import pytest
import tomlkit

REPOSITORY = Path(__file__).parents[2]
PROJECTS = REPOSITORY / "tests" / "projects"
# A folder that is put there is a sample, or has several: each goes the whole way, to a green run.
SAMPLES = sorted(
    each.relative_to(PROJECTS).as_posix()
    for folder in PROJECTS.iterdir()
    if folder.is_dir()
    for each in (folder.glob("services/*") if (folder / "services").is_dir() else [folder])
)
# Those whose tests also run under plain pytest, which test_unedited.py compares.
UNEDITED = [name for name in SAMPLES if name.startswith("suite_")]
# All ways to write files are in these; the others differ in what is read.
WRITTEN = ["alembic_async", "anyio_project", "app_factory", "psycopg_sync", "seed", "sqlmodel", "src_layout"]
SUITES = [name for name in WRITTEN if any((PROJECTS / name).rglob("test_*.py"))]
WITHOUT = [name for name in WRITTEN if name not in SUITES]
# Of those that go through the same steps, two run by default: one with a suite and one without.
FEW = [SUITES[0], WITHOUT[0]]
SAMPLES_BY_TIER = [pytest.param(name, marks=[] if name in FEW else pytest.mark.slow) for name in WRITTEN]
# The plugin that runs asynchronous tests, where the project uses another than the one in our environment.
PLUGINS = {"anyio_project": ["-p", "no:asyncio"]}
# What a sample is built with, where it is not in every environment of ours. `make lowest` has fastapi-users, whose
# adapter refuses SQLAlchemy 2.1.
NEEDED = {"advanced_alchemy": "advanced_alchemy", "fastapi_users": "fastapi_users_db_sqlalchemy"}


def configuration(files: dict[str, str]) -> dict[str, object]:
    if "pytest.toml" in files:
        return tomlkit.parse(files["pytest.toml"]).unwrap()["pytest"]
    return tomlkit.parse(files["pyproject.toml"]).unwrap()["tool"]["pytest"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES_BY_TIER)
def test_a_second_run_changes_nothing(copy, name: str):
    """What was written once is found, and left alone."""
    project = copy(name)
    assert project.init("--check")[0] == 1
    assert project.init("--yes")[0] == 0
    files = project.files()
    code, printed = project.init("--yes")
    assert (code, project.files()) == (0, files)
    assert "Everything is set up: nothing to write." in printed
    assert project.init("--check")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES_BY_TIER)
def test_a_dry_run_writes_nothing(copy, name: str):
    """The diff is shown, and no file is touched."""
    project = copy(name)
    files = project.files()
    code, printed = project.init("--dry-run")
    assert (code, project.files()) == (0, files)
    assert "+++ b/py" in printed
    assert "Nothing has been written." in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES_BY_TIER)
def test_the_configuration_is_native_and_strict(copy, name: str):
    """A new suite, and one to be modernized, has native TOML, strict, with loop scopes that match and our options."""
    project = copy(name)
    assert project.init("--yes", *(["--modernize"] if name in SUITES else []))[0] == 0
    files = project.files()
    options = configuration(files)
    assert options["strict"] is True
    assert options["minversion"] == "9.0"
    assert "--import-mode=importlib" in options["addopts"]
    assert options["crucible_metadata"]
    assert ("crucible_no_database" in options) == (name in WITHOUT and (project.root / "tests" / "unit").is_dir())
    if "asyncio_mode" in options:
        assert options["asyncio_default_fixture_loop_scope"] == options["asyncio_default_test_loop_scope"] == "session"
    assert "[tool.pytest.ini_options]" not in files.get("pyproject.toml", "")
    assert "pytest.ini" not in files
    assert not any(
        "[tool:pytest]" in text or "\n[pytest]" in text for file, text in files.items() if not file.endswith(".toml")
    )


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_keeps_its_settings(copy, name: str):
    """In a project with tests, only lines are added: options of Crucible, and the requirement."""
    project = copy(name)
    before = project.files()
    code, printed = project.init("--yes")
    assert code == 0
    assert re.search(r"suite: \d+ test modules? in ", printed)
    after = project.files()
    assert after.keys() - before.keys() <= {"pytest.toml", "requirements-dev.txt"}
    added = [line for line in printed.splitlines() if line.startswith("+") and not line.startswith("+++")]
    removed = [line for line in printed.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert any("crucible_metadata" in line or "crucible_alembic" in line for line in added)
    for line in added:
        assert not re.match(r"\+(minversion|testpaths|pythonpath|addopts|strict|markers|asyncio_default_test)", line), (
            line
        )
    assert not [line for line in removed if "pytest" not in line], removed


@pytest.mark.parametrize("name", SAMPLES_BY_TIER)
def test_what_is_written_reads_well(copy, name: str):
    """Every new module parses, uses what it imports, has docstrings, and no line of it is longer than 88."""
    project = copy(name)
    before = project.files()
    project.init("--yes")
    for file, text in project.files().items():
        if file in before or not file.endswith(".py") or not text:
            continue
        tree = ast.parse(text)
        assert ast.get_docstring(tree), file
        assert max(map(len, text.splitlines())) <= 88
        names = [
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        ]
        assert [name for name in names if len(re.findall(rf"\b{name}\b", text)) < 2] == [], file
        tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert [node.name for node in tests if node.name.startswith("test_") and not ast.get_docstring(node)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in UNEDITED])
def test_the_next_run_of_pytest_is_green(copy, name: str):
    """After `crucible init --yes`, which has tried it, old and new tests pass on PostgreSQL.

    Nothing is edited, unless the suite starts a container: then the fixtures that are named are deleted first.
    """
    if name in NEEDED:
        pytest.importorskip(NEEDED[name], reason=f"{NEEDED[name]} is not installed, with which the sample is built")
    project = copy(name)
    _, printed = project.init("--yes", tried=True)
    assert "tried: application, schema, session and client work" in printed
    if "PostgresContainer" in "".join(project.files().values()):
        project.obey(printed)
    printed = project.pytest(*PLUGINS.get(name, []))
    assert re.search(r"\d+ passed", printed) or re.search(r"\[100%\]", printed), printed
    for word in ("failed", "error"):
        assert word not in printed.lower().replace("errors=", ""), printed


@pytest.mark.slow
def test_the_example_without_its_tests(copy):
    """An application with migrations, roles, triggers and a lifespan gets a suite that passes."""
    project = copy()
    left_out = shutil.ignore_patterns("tests", "__pycache__", ".pytest_cache", "*.egg-info")
    shutil.copytree(REPOSITORY / "examples" / "ledger", project.root, dirs_exist_ok=True, ignore=left_out)
    file = project.root / "pyproject.toml"
    document = tomlkit.parse(file.read_text("utf-8"))
    del document["tool"]["pytest"]
    del document["project"]["optional-dependencies"]["test"]
    file.write_text(tomlkit.dumps(document), "utf-8")
    project.init("--yes")
    assert configuration(project.files())["crucible_alembic"] == "alembic.ini"
    assert "failed" not in project.pytest()
