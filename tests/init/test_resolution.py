"""Requirements are written only if the project's installer can resolve them together, or it is said."""

import os
import sys
import zipfile
from pathlib import Path

import pytest

from pytest_crucible.scaffold import resolution
from pytest_crucible.scaffold.trial import TrialOutcome
from pytest_crucible.scaffold.workspace import workspace

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
TEST = "def test_it(): ...\n"


def wheel(folder: Path, name: str, *requires: str) -> None:
    """Put an empty distribution into *folder*."""
    info = f"{name}-1.0.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {one}" for one in requires)]
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as file:
        file.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture
def project(copy, monkeypatch: pytest.MonkeyPatch, init_cache: Path):
    """Return a project with a suite whose requirements stand in a requirements file."""
    monkeypatch.setenv("CRUCIBLE_CACHE", str(init_cache))
    monkeypatch.setenv("PIP_FIND_LINKS", str(init_cache / "wheels"))
    project = copy()
    project.write(models_py=MODELS, tests__test_it_py=TEST)
    return project


@pytest.mark.slow
def test_requirements_that_exclude_each_other(project, init_cache: Path):
    """What pip cannot resolve is not written, its reason is said, and the configuration is written all the same."""
    wheel(init_cache / "wheels", "oldplugin", "pytest<9")
    project.write(requirements_txt="pytest\noldplugin\n")
    code, printed = project.init("--yes", tried=True)
    assert code == 0
    assert "requirements: not written, since pip cannot resolve them together:" in printed
    assert "oldplugin" in printed
    assert project.files()["requirements.txt"] == "pytest\noldplugin\n"
    assert "crucible_metadata" in project.files()["pytest.toml"]


def test_pins_that_exclude_what_crucible_needs(project, monkeypatch: pytest.MonkeyPatch):
    """The next step names the pins to raise, and the set-up is not complete before."""
    monkeypatch.setattr("pytest_crucible.cli.init.attempt", lambda *_: TrialOutcome(("application",)))
    monkeypatch.setattr(resolution, "conflict", lambda *_: ("pytest==8.3.4 is not pytest>=9.0", ""))
    files = {"requirements_txt": "pytest==8.3.4\nSQLAlchemy~=2.0\n", "requirements-dev_txt": "pytest\n"}
    project.write(**files)
    _, printed = project.init("--yes", tried=True)
    following = "Next: raise pytest==8.3.4 (requirements.txt) to pytest>=9.0, and run `crucible init` again"
    assert following in printed
    assert "pip install -r" not in printed
    assert "crucible_metadata" in project.files()["pytest.toml"]
    for words, code in [(("--yes",), 0), (("--yes", "--check"), 1), (("--check",), 1)]:
        found, printed = project.init(*words, tried=True)
        assert found == code
        assert "Everything is set up" not in printed
        assert following in printed or words == ("--check",)
    assert project.files()["requirements.txt"].startswith("pytest==8.3.4\n")


@pytest.mark.slow
def test_a_package_that_no_index_has(project):
    """What could not be resolved for another reason, as without a network, is written, and said not to be checked."""
    project.write(requirements_txt="pytest\nnosuchpackage\n")
    _, printed = project.init("--yes", tried=True)
    assert "requirements: not checked, because pip could not resolve them here: " in printed
    assert "pytest-crucible" in project.files()["requirements.txt"]


@pytest.mark.slow
def test_requirements_that_are_installed(project):
    """What pip resolves is written."""
    project.write(requirements_txt="pytest\n")
    assert "requirements: can be resolved" in project.init("--yes", tried=True)[1]


UV = """#!/bin/sh
test -f pyproject.toml && grep -q pytest-crucible pyproject.toml || exit 0
echo "  × No solution found: pytest==8.0 and pytest-crucible are incompatible, requirements are unsatisfiable." >&2
exit 1
"""


@pytest.mark.parametrize(
    ("lock", "commands"),
    [
        ("uv.lock", "uv sync --group dev, then: uv run pytest"),
        ("poetry.lock", "poetry lock && poetry install --with dev, then: poetry run pytest"),
        ("pdm.lock", "pdm install -G dev, then: pdm run pytest"),
        ("other.lock", "pip install --group dev, then: pytest"),
    ],
)
def test_the_installer_of_the_project(project, lock: str, commands: str):
    """The next step is said as the project's own installer has it."""
    project.write(pyproject_toml='[dependency-groups]\ndev = ["pytest"]\n')
    (project.root / lock).touch()
    assert f"Next: {commands}\n" in project.init("--yes")[1]


def test_a_pip_that_knows_no_groups(project, monkeypatch: pytest.MonkeyPatch):
    """Where pip is older than dependency groups, the next step updates it first."""
    monkeypatch.setattr("pytest_crucible.scaffold.requirements.version", lambda name: "25.0.1")
    project.write(pyproject_toml='[dependency-groups]\ndev = ["pytest"]\n')
    assert "Next: pip install -U pip && pip install --group dev, then: pytest\n" in project.init("--yes")[1]


@pytest.mark.slow
def test_a_project_of_uv(project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A project with a lock of uv is resolved by uv, which may not be here."""
    project.write(pyproject_toml='[dependency-groups]\ndev = ["pytest==9.0"]\n')
    (project.root / "uv.lock").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (
        "requirements: not checked, because uv is not installed here"
        in project.init("--dry-run", "--yes", tried=True)[1]
    )
    (tmp_path / "uv").write_text(UV.replace("grep", "/usr/bin/grep"))
    (tmp_path / "uv").chmod(0o755)
    _, printed = project.init("--yes", tried=True)
    assert "requirements: not written, since uv cannot resolve them together:\n    × No solution found" in printed
    assert "pytest-crucible" not in project.files()["pyproject.toml"]
    assert "crucible_metadata" in project.files()["pyproject.toml"]


SEEN = """#!/bin/sh
echo "$(basename $0)" "$@" "downloads=$UV_PYTHON_DOWNLOADS" "python=$PDM_PYTHON" > "$SEEN"
find ../.. -name "*.lock" -o -name pyproject.toml | /usr/bin/sort >> "$SEEN"
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put an installer first on the path, and return the file with what it is asked and sees."""
    monkeypatch.setattr("pytest_crucible.cli.init.attempt", lambda *_: TrialOutcome(("application",)))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name in ("uv", "pdm"):
        (tmp_path / name).write_text(SEEN)
        (tmp_path / name).chmod(0o755)
    return tmp_path / "seen"


def test_a_member_of_a_workspace(project, asked: Path):
    """A member of uv's workspace is resolved with the lock and the other members, by the interpreter that runs."""
    root = project.root
    project.write(
        pyproject_toml='[tool.uv.workspace]\nmembers = ["packages/*"]\nexclude = ["packages/old"]\n',
        uv_lock="version = 1\n",
        packages__lib__pyproject_toml='[project]\nname = "lib"\nversion = "1"\n',
        packages__old__pyproject_toml='[project]\nname = "old"\nversion = "1"\n',
        packages__api__pyproject_toml='[project]\nname = "api"\nversion = "1"\n[dependency-groups]\ndev = ["pytest"]\n',
        packages__api__models_py=MODELS,
        packages__api__tests__test_it_py=TEST,
    )
    project.root = root / "packages" / "api"
    _, printed = project.init("--yes", tried=True)
    assert "requirements: can be resolved" in printed
    assert "Next: uv sync --group dev, then: uv run pytest" in printed
    command, *files = asked.read_text().splitlines()
    assert command.startswith(f"uv lock --python {sys.executable} downloads=never")
    assert [name.removeprefix("../../") for name in files] == [
        "packages/api/pyproject.toml",
        "packages/lib/pyproject.toml",
        "pyproject.toml",
        "uv.lock",
    ]
    project.root = root / "packages" / "old"
    project.write(models_py=MODELS, tests__test_it_py=TEST)
    assert "Next: pip install" in project.init("--yes")[1]


def test_a_workspace_outside_of_the_repository(project):
    """A workspace above the folder of the repository is another project's."""
    project.write(pyproject_toml='[tool.uv.workspace]\nmembers = ["api"]\n', api__pyproject_toml="[project]\n")
    assert workspace(project.root / "api") == project.root
    (project.root / "api" / ".git").mkdir()
    assert workspace(project.root / "api") is None


ANSWERS = {
    "ERROR: Unable to find a resolution for pytest\n[ResolutionError]: Unable to find": "not written, since pdm",
    "[CandidateNotFound]: Unable to find candidates for pytest-crucible.": "not checked, because pdm could not resolve"
    " them here: [CandidateNotFound]: Unable to find candidates for pytest-crucible.",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_how_pdm_says_it(project, asked: Path, answer: str):
    """A conflict that PDM finds is told from a package that it does not find."""
    (asked.parent / "pdm").write_text(f"#!/bin/sh\necho \"{answer}\nWARNING: Add '-v' to see more\" >&2\nexit 1\n")
    project.write(pyproject_toml='[dependency-groups]\ndev = ["pytest"]\n', pdm_lock="")
    assert f"requirements: {ANSWERS[answer]}" in project.init("--yes", tried=True)[1]


@pytest.mark.slow
def test_what_pdm_has_locked_stays(project, asked: Path):
    """PDM resolves what has changed only, and makes no environment for it."""
    project.write(pyproject_toml='[dependency-groups]\ndev = ["pytest"]\n', pdm_lock="")
    _, printed = project.init("--yes", tried=True)
    assert "requirements: can be resolved" in printed
    command = asked.read_text().splitlines()[0]
    assert command == f"pdm lock --update-reuse downloads=never python={sys.executable}"
