"""Options in ini form become native ones, each of the type it is registered with."""

from pathlib import Path
from typing import Any

import pytest
import tomlkit

from pytest_crucible import UsageError
from pytest_crucible.scaffold import ini_file as ini

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


# Each with what is written, and what it is natively.
REGISTERED = {
    "addopts": ('-ra\n    -k "not slow"', ["-ra", "-k", "not slow"]),
    "required_plugins": ("no-such-plugin", ["no-such-plugin"]),
    "minversion": ("99.0", "99.0"),
    "markers": (
        "\n    slow: takes long\n\n    smoke: after each deployment",
        ["slow: takes long", "smoke: after each deployment"],
    ),
    "pythonpath": ("src ../lib", ["src", "../lib"]),
    "log_cli": ("yes", True),
    "junit_log_passing_tests": ("0", False),
    "cache_dir": (".cache", ".cache"),
    "xfail_strict": ("true", True),
    "asyncio_mode": ("auto", "auto"),
    "crucible_no_database": ("tests/unit tests/pure", ["tests/unit", "tests/pure"]),
}
UNKNOWN = {"word": ("one", "one"), "lines": ("one\n    two", ["one", "two"]), "number": ("30", "30")}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[str]]:
    """Return the native values of all of these, and the keys that no plugin registers: pytest starts once."""
    file = tmp_path_factory.mktemp("ini") / "pytest.ini"
    written = {key: text for key, (text, _) in (REGISTERED | UNKNOWN).items()}
    file.write_text("\n".join(["[pytest]", *(f"{key} = {text}" for key, text in written.items()), ""]))
    return ini.native(file, written)


@pytest.mark.parametrize("key", REGISTERED)
def test_each_type(converted: tuple[dict[str, Any], list[str]], key: str):
    """pytest reads each value as the type that it, or an installed plugin, registers for the option."""
    found, _ = converted
    _, native = REGISTERED[key]
    assert (found[key], type(found[key])) == (native, type(native))


def test_an_option_that_no_plugin_registers(converted: tuple[dict[str, Any], list[str]]):
    """It stays text, or lines of text, and is named."""
    found, unknown = converted
    assert {key: found[key] for key in UNKNOWN} == {key: native for key, (_, native) in UNKNOWN.items()}
    assert unknown == list(UNKNOWN)


def test_a_table_of_ini_options(tmp_path: Path):
    """Lists and booleans of TOML keep their type."""
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.pytest.ini_options]\naddopts = ["-k not slow"]\nlog_cli = true\ntestpaths = ["a b"]\n')
    values = {"addopts": ["-k not slow"], "log_cli": True, "testpaths": ["a b"]}
    assert ini.native(file, values) == (values, [])


def test_pytest_that_does_not_start(tmp_path: Path):
    """The error has the last lines of what pytest says."""
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.pytest.ini_options]\nlog_cli = true\n[tool.pytest]\nlog_cli = true\n")
    with pytest.raises(UsageError, match=r"pytest does not start with pyproject\.toml") as refused:
        ini.native(file, {"log_cli": True})
    assert "ini_options" in refused.value.why


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


@pytest.mark.slow
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
    assert "No plugin that is installed here registers timeout_of_nobody" in printed


def test_a_value_that_cannot_be_read(tmp_path: Path):
    """The option is named with its value, without a traceback."""
    with pytest.raises(UsageError, match='addopts = -k "slow cannot be read'):
        ini.native(tmp_path / "pytest.ini", {"addopts": '-k "slow'})
