"""Options in ini form become native ones, each of the type it is registered with."""

import pytest
import tomlkit

from pytest_crucible import UsageError
from pytest_crucible.cli.scaffold import ini

SECTION = """\
[tox]
envlist = py311

# all tests
[pytest]
; how strict we are
# and why
xfail_strict = true
addopts = -ra
    -k "not slow"

[flake8]
x = 1
"""
TYPES = {"addopts": "args", "markers": "linelist", "log_cli": "bool", "pythonpath": "paths", "n": "int", "f": "float"}


@pytest.mark.parametrize(
    ("key", "written", "native"),
    [
        ("addopts", '-ra\n-k "not slow"', ["-ra", "-k", "not slow"]),
        ("addopts", ["-ra", "-k not slow"], ["-ra", "-k not slow"]),
        (
            "markers",
            "\nslow: takes long\n\nsmoke: after each deployment",
            ["slow: takes long", "smoke: after each deployment"],
        ),
        ("pythonpath", "src lib", ["src", "lib"]),
        ("log_cli", "yes", True),
        ("log_cli", True, True),
        ("log_cli", "0", False),
        ("n", "3", 3),
        ("f", "1.5", 1.5),
        ("cache_dir", ".cache", ".cache"),
        ("unknown", "one", "one"),
        ("unknown", "one\ntwo", ["one", "two"]),
        ("unknown", 30, "30"),
    ],
)
def test_each_type(key: str, written: object, native: object):
    """A value is split, counted or believed according to its option's type; unknown ones stay text, or lines."""
    found = ini.native({key: written}, TYPES | {"cache_dir": "string"})[key]
    assert (found, type(found)) == (native, type(native))


def test_types_are_what_pytest_registers():
    """The types come from pytest itself and the plugins that are installed, aliases too."""
    types = ini.registered()
    assert types["addopts"] == "args"
    assert types["markers"] == "linelist"
    assert types["xfail_strict"] == types["strict_xfail"] == "bool"
    assert types["asyncio_mode"] == "string"
    assert types["crucible_no_database"] == "args"


def test_a_section_is_taken_out():
    """What stands before and after it stays; a file of which nothing is left goes."""
    assert ini.without(SECTION, "pytest") == "[tox]\nenvlist = py311\n\n# all tests\n\n[flake8]\nx = 1\n"
    assert ini.without("# tests\n[pytest]\naddopts = -q\n", "pytest") is None


def test_comments_go_with_their_key():
    """A comment above a key stands above it in TOML too."""
    assert ini.comments(SECTION, "pytest") == {"xfail_strict": "how strict we are\nand why"}


def test_comments_between_the_lines_of_a_value():
    """They belong to that value, and not to the next key."""
    text = "[pytest]\n# above\naddopts =\n    -q\n    # short\n    --tb=short\n\ntestpaths = tests\n"
    assert ini.comments(text, "pytest") == {"addopts": "above\nshort"}


def test_a_pytest_ini_that_stays(copy):
    """pytest.ini comes before pyproject.toml even without a section of pytest's: then pytest.toml is written."""
    project = copy()
    project.write(
        models_py="from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): pass\n",
        pyproject_toml="[project]\nname = 'x'\n",
        pytest_ini="[pytest]\naddopts = -q\n[other]\nx = 1\n",
    )
    assert project.init("--yes")[0] == 0
    assert project.files()["pytest.ini"] == "[other]\nx = 1\n"
    assert 'addopts = ["-q", "-ra", "--import-mode=importlib"]' in project.files()["pytest.toml"]
    assert "tool.pytest" not in project.files()["pyproject.toml"]
    assert project.init("--check")[0] == 0


def test_pytest_reads_what_was_converted(copy):
    """Every kind of file and of option ends in TOML that says the same."""
    project = copy()
    project.write(
        models_py="from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): pass\n",
        pytest_ini=(
            "[pytest]\n# lines\nmarkers =\n    one: the first\n    two(x): with brackets\n"
            'addopts = --strict-markers -k "a or b"\nxfail_strict = false\ntimeout_of_nobody = 30\n'
        ),
    )
    code, printed = project.init("--yes")
    assert code == 0
    text = project.files()["pytest.toml"]
    options = tomlkit.parse(text).unwrap()["pytest"]
    assert options["addopts"] == ["-k", "a or b", "-ra", "--import-mode=importlib"]
    assert options["markers"][:2] == ["one: the first", "two(x): with brackets"]
    assert options["xfail_strict"] is False
    assert options["timeout_of_nobody"] == "30"
    assert "# lines\nmarkers" in text
    assert "timeout_of_nobody is registered by no plugin" in printed


@pytest.mark.parametrize(("key", "value", "kind"), [("addopts", '-k "slow', "args"), ("verbosity", "high", "int")])
def test_a_value_that_cannot_be_read(key: str, value: str, kind: str):
    """The option is named with its value, and nobody sees a traceback."""
    with pytest.raises(UsageError, match=f"{key} = {value} cannot be read"):
        ini.native({key: value}, {key: kind})
