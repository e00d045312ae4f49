"""TOML that is changed keeps everything else as it was."""

import pytest
import tomlkit

from pytest_crucible.scaffold import toml_file as toml

FILE = """\
# the whole project
[project]
name = "x"   # short

[tool.pytest]
minversion = "8.0" # old
filterwarnings = [
    "error",     # every warning
    # and this one:
    "ignore::X",
]

# our style
[tool.ruff]
line-length = 88
"""


def test_comments_and_spacing_stay():
    """Only the lines that have to change differ; a comment above the next table stays there."""
    values = {"minversion": "9.0", "filterwarnings": ["error", "ignore::X", "ignore::Y"], "strict": True}
    changed = toml.change(FILE, "tool.pytest", values, {"strict": "why"})
    expected = FILE.replace('"8.0" # old', '"9.0" # old').replace(
        '    "ignore::X",\n]\n', '    "ignore::X",\n    "ignore::Y",\n]\n# why\nstrict = true\n'
    )
    assert changed == expected


def test_a_string_becomes_a_boolean():
    """The comment behind it stays."""
    assert toml.change('[a]\nb = "no" # why\n', "a", {"b": False}) == "[a]\nb = false # why\n"
    assert toml.change("[a]\nb = false # why\n", "a", {"b": "no"}) == '[a]\nb = "no" # why\n'


def test_what_is_there_is_not_written_again():
    """Values that are equal leave the text as it is."""
    assert toml.change(FILE, "tool.ruff", {"line-length": 88}) == FILE


def test_a_new_table_goes_to_the_end():
    """A table that is not there follows the last one, one line apart."""
    assert toml.change("[a]\nx = 1", "tool.pytest", {"strict": True}) == "[a]\nx = 1\n\n[tool.pytest]\nstrict = true\n"
    assert toml.change("", "pytest", {"strict": True}) == "[pytest]\nstrict = true\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# tests\n[tool.pytest.ini_options] # here\nx = 1\n\n# style\n[tool.ruff]\ny = 1\n",
            "# tests\n[tool.pytest] # here\nx = 1\n\n# style\n[tool.ruff]\ny = 1\n",
        ),
        (
            "[tool.ruff]\ny = 1\n[project]\nname = 'x'\n[tool.pytest.ini_options]\nx = 1\n",
            "[tool.ruff]\ny = 1\n[project]\nname = 'x'\n[tool.pytest]\nx = 1\n",
        ),
        ("[tool]\npytest = {ini_options = {x = 1}}\n", "[tool]\npytest = {x = 1}\n"),
    ],
)
def test_a_table_moves_to_the_place_of_its_parent(text: str, expected: str):
    """Ini options become native by their header; comments around it stay."""
    assert toml.rename(text, "tool.pytest", "ini_options") == expected


def test_tables_in_one_line_and_with_dots():
    """A table without a header of its own is changed in its place."""
    for text in ("[tool]\npytest = {x = 1}\n", "[tool]\npytest.x = 1\n", "tool.pytest.x = 1\n"):
        changed = toml.change(text, "tool.pytest", {"strict": True, "x": 2})
        assert tomlkit.parse(changed).unwrap() == {"tool": {"pytest": {"x": 2, "strict": True}}}


def test_lists_grow_as_they_are_written():
    """A list in one line stays in one, as long as it fits; one in several keeps its comments."""
    short = '[g]\ntest = ["a", {include-group = "b"}]\n'
    assert toml.extend(short, "g", "test", ["c"], instead_of={"a": "a>=1"}) == (
        '[g]\ntest = ["a>=1", {include-group = "b"}, "c"]\n'
    )
    tall = '[g]\ntest = [\n  "a", # first\n]\n'
    assert toml.extend(tall, "g", "test", ["c"]) == '[g]\ntest = [\n  "a", # first\n  "c",\n]\n'
    wide = toml.extend(short, "g", "test", [f"a-long-requirement-{number}>=1.0" for number in range(4)])
    assert max(map(len, wide.splitlines())) < 100
    assert len(tomlkit.parse(wide)["g"]["test"]) == 6


def test_brackets_inside_values_are_no_headers():
    """A table ends at the next header, and not at a line of a list that begins with a bracket."""
    text = '[t]\nx = [\n["a"],\n]\n[u]\ny = 1\n'
    assert toml.change(text, "t", {"z": 1}) == '[t]\nx = [\n["a"],\n]\nz = 1\n[u]\ny = 1\n'
