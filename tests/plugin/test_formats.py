"""Every option in every file that pytest reads, with the values that the page of options shows."""

from __future__ import annotations

import json
import shlex

import pytest

import pytest_crucible.fixtures  # noqa: F401 # or each run inside would import it anew
from pytest_crucible.pytest_plugin import SETTINGS
from pytest_crucible.server import lease
from pytest_crucible.settings import OPTIONS

VALUES = {option.name: json.loads(option.metavar) for option in OPTIONS}


def as_ini(value: object) -> str:
    return shlex.join(value) if isinstance(value, list) else str(value).lower() if value is True else str(value)


NATIVE = "".join(f"{option.name} = {option.metavar}\n" for option in OPTIONS)
STRINGS = "".join(f"{name} = {as_ini(value)}\n" for name, value in VALUES.items())
# Only said because pytest-asyncio warns where it is not.
NATIVE += 'asyncio_default_fixture_loop_scope = "function"\n'
STRINGS += "asyncio_default_fixture_loop_scope = function\n"
FILES = [
    ("pyproject.toml", "tool.pytest", NATIVE),
    pytest.param("pyproject.toml", "tool.pytest.ini_options", NATIVE, marks=pytest.mark.slow),
    pytest.param("pytest.toml", "pytest", NATIVE, marks=pytest.mark.slow),
    ("pytest.ini", "pytest", STRINGS),
    pytest.param("setup.cfg", "tool:pytest", STRINGS, marks=pytest.mark.slow),
    pytest.param(".pytest.toml", "pytest", NATIVE, marks=pytest.mark.slow),
    pytest.param(".pytest.ini", "pytest", STRINGS, marks=pytest.mark.slow),
    pytest.param("tox.ini", "pytest", STRINGS, marks=pytest.mark.slow),
]


class Spy:
    """Notes what the run's settings are; that is enough of the run."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config):
        self.settings = config.stash[SETTINGS]
        pytest.exit("the settings are read")


@pytest.mark.parametrize(("name", "table", "text"), FILES)
def test_every_option_in_every_file(pytester, name, table, text):
    """The values that docs/options.md shows are read, and are what they look like."""
    (pytester.path / name).write_text(f"[{table}]\n{text}", "utf-8")
    spy = Spy()
    pytester.inline_run(plugins=[spy], no_reraise_ctrlc=True)
    for option in OPTIONS:
        value = VALUES[option.name]
        expected = tuple(value) if isinstance(value, list) else value
        assert getattr(spy.settings, option.field) == expected, option.name
        assert spy.settings.sources[option.name] == "file"
    lease("embedded", root=pytester.path).release()  # or its server would linger


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pytest.toml", '[pytest]\ncrucible_seed = "many"', "crucible_seed = 42"),
        ("pytest.toml", '[pytest]\ncrucible_metadata = "a:B"', 'crucible_metadata = ["app.models:Base"]'),
        ("pytest.toml", '[pytest]\ncrucible_keep_failed = "yes"', "crucible_keep_failed = true"),
        ("pytest.ini", "[pytest]\ncrucible_seed = many", "crucible_seed = 42"),
        ("pytest.ini", "[pytest]\ncrucible_keep_failed = perhaps", "crucible_keep_failed = true"),
        ("pytest.ini", '[pytest]\ncrucible_metadata = ["app.models:Base"]', "'app.models:Base'"),
        ("pytest.ini", '[pytest]\ncrucible_app = "app.main:app"', "'app.main:app'"),
    ],
)
def test_a_value_of_another_kind(pytester, name, text, expected):
    """A value that pytest cannot read is one error at the start, which shows how it is written in this file."""
    (pytester.path / name).write_text(text, "utf-8")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    option = text.splitlines()[1].partition(" ")[0]
    result.stderr.fnmatch_lines([f"ERROR: {option} (configuration file): *"])
    assert f"Write {expected}" in result.stderr.str()
    assert "Traceback" not in result.stderr.str()
