"""The requirements of the tests go where the project lists such, and what is too old is raised."""

import pytest
import tomlkit

MODELS = "from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): pass\n"
NEEDED = {
    "httpx",
    "httpx2",
    "pytest",
    "pytest-asyncio",
    "pytest-crucible",
}


def names(lines: list[str]) -> set[str]:
    return {line.partition(">")[0] for line in lines}


def written(project, file: str = "pyproject.toml"):
    project.write(models_py=MODELS)
    code, printed = project.init("--yes")
    assert code == 0, printed
    return project.files()[file], printed


def test_a_group_of_its_own(copy):
    """A project that lists no test requirements gets the group `test`."""
    project = copy()
    project.write(pyproject_toml='[project]\nname = "x"\nversion = "1"\ndependencies = ["sqlalchemy"]\n')
    text, printed = written(project)
    assert names(tomlkit.parse(text).unwrap()["dependency-groups"]["test"]) == NEEDED - {"httpx2"}
    assert "pip install --group test" in printed


@pytest.mark.parametrize(
    ("table", "command"),
    [("project.optional-dependencies", "pip install -e '.[dev]'"), ("dependency-groups", "pip install --group dev")],
)
def test_where_pytest_is_listed(copy, table: str, command: str):
    """The group, or extra, that lists pytest gets what is missing; pins that are too old are raised, others stay."""
    project = copy()
    project.write(
        pyproject_toml=f"[{table}]\n"
        'dev = ["pytest~=8.0", "pytest-mock", "httpx[http2]==0.20 ; python_version > \'3\'", "ruff"]\n'
    )
    text, printed = written(project)
    document = tomlkit.parse(text).unwrap()
    for key in table.split("."):
        document = document[key]
    kept = document["dev"][:4]
    assert kept[0].startswith("pytest>=9")
    assert kept[1] == "pytest-mock"
    assert kept[2].startswith("httpx[http2]>=0.2")
    assert kept[2].endswith('; python_version > "3"')
    assert kept[3] == "ruff"
    assert command in printed


def test_a_requirements_file(copy):
    """A project with requirements files gets lines there, below what it has."""
    project = copy()
    project.write(
        **{"requirements_txt": "sqlalchemy\n", "requirements-dev_txt": "-r requirements.txt\npytest==8.0  # pinned\n"}
    )
    text, printed = written(project, "requirements-dev.txt")
    lines = text.splitlines()
    assert lines[0] == "-r requirements.txt"
    assert lines[1].startswith("pytest>=9")
    assert lines[1].endswith("  # pinned")
    assert names(lines[2:]) == NEEDED - {"httpx2", "pytest"}
    assert "pip install -r requirements-dev.txt" in printed


def test_several_places_are_asked_for(copy):
    """Where two groups list pytest, the choice is said."""
    project = copy()
    project.write(pyproject_toml='[dependency-groups]\nci = ["pytest>=9"]\ntest = ["pytest>=9"]\n')
    _, printed = written(project)
    assert "Several places list requirements of the tests:\n  1. pyproject.toml group 'test'\n  2. py" in printed


@pytest.mark.parametrize(
    ("file", "text", "is_said"),
    [
        ("tox.ini", "[testenv]\ndeps =\n    httpx\n    pytest>=8\ncommands = pytest\n", True),
        ("tox.ini", "[testenv]\ndeps = pytest\n", True),
        ("tox.ini", "[testenv]\ndeps =\n    -r requirements.txt\ncommands = pytest\n", False),
        ("noxfile.py", "def tests(session):\n    session.install('.', 'pytest')\n", True),
        ("noxfile.py", "def tests(session):\n    session.run('pytest')\n", False),
    ],
)
def test_requirements_that_another_tool_installs(copy, file: str, text: str, is_said: bool):
    """tox and nox may install what the tests need: such a file is named, and not changed."""
    project = copy()
    (project.root / file).write_text(text)
    _, printed = written(project, file)
    assert (f"{file} installs the requirements of the tests itself: add pytest-crucible there." in printed) == is_said
    assert project.files()[file] == text
