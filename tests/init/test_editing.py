"""Modules of the suite are edited as text, and say the same otherwise."""

from pytest_crucible.cli.scaffold import editing, python

MODULE = '''\
"""Fixtures."""

import asyncio
import os  # unused before
from app import (
    a,
    b,
)

import pytest


# One loop
# for all
@pytest.fixture
def event_loop():
    loop = asyncio.new_event_loop()
    yield a(loop)


@pytest.fixture
def shelf():
    return b
'''


def test_a_function_goes_with_its_comment_and_imports():
    """What only it needed goes with it; what was unused before, and what others need, stays."""
    assert editing.without(MODULE, {(15, 18): ""}) == (
        '"""Fixtures."""\n\nimport os  # unused before\nfrom app import b\n\nimport pytest\n\n\n'
        "@pytest.fixture\ndef shelf():\n    return b\n"
    )


def test_a_function_is_replaced_in_its_place():
    """Its comment stays with what takes its place."""
    changed = editing.without(MODULE, {(15, 18): "@pytest.fixture\ndef event_loop():\n    return None\n"})
    assert "# for all\n@pytest.fixture\ndef event_loop():\n    return None\n\n\n@pytest" in changed


def test_all_that_is_left_may_be_nothing():
    """A module of nothing else is empty afterwards."""
    assert editing.without("def f(): pass\n", {(1, 1): ""}) == ""


def test_a_form_feed_ends_no_line():
    """Lines are counted as Python counts them, or another function would go."""
    assert editing.without("A = 1\n\x0c\ndef f():\n    pass\n\n\nB = '\x0b\u2028'\n", {(3, 4): ""}) == (
        "A = 1\n\x0c\nB = '\x0b\u2028'\n"
    )


def test_plugins_are_added_to_a_list():
    """A list, or a tuple, of modules of fixtures is extended; other forms are left to whoever wrote them."""
    assert python.with_plugins('pytest_plugins = ("x",)\nA = 1\n', ["y"]) == (
        'pytest_plugins = [\n    "x",\n    "y",\n]\nA = 1\n'
    )
    assert python.with_plugins('pytest_plugins = ["y"]\n', ["y"]) == 'pytest_plugins = ["y"]\n'
    assert python.with_plugins('pytest_plugins = "x"\n', ["y"]) is None
    assert python.with_plugins("def f(:\n", ["y"]) is None


def test_plugins_follow_the_imports():
    """Without a list, one is written below docstring and imports."""
    source = '"""D."""\nimport pytest\n# comment\n@pytest.fixture\ndef f(): ...\n'
    assert python.with_plugins(source, ["y"]) == (
        '"""D."""\nimport pytest\n\npytest_plugins = [\n    "y",\n]\n\n\n# comment\n@pytest.fixture\ndef f(): ...\n'
    )


def test_an_import_stands_below_what_has_to_be_first():
    """Imports from the future come before all others; a string further down is no docstring."""
    source = '"""D."""\nfrom __future__ import annotations\n\nimport os\n"a section"\n'
    assert python.with_import(source, "import pytest") == (
        '"""D."""\nfrom __future__ import annotations\n\nimport pytest\nimport os\n"a section"\n'
    )
