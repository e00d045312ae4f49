"""The documents say what the code does."""

import re
import runpy
from pathlib import Path

import pytest

from pytest_crucible.settings import OPTIONS

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *(str(p.relative_to(REPOSITORY)) for p in REPOSITORY.glob("docs/*.md")),
]


@pytest.mark.parametrize("name", ["options.md", "doctor.md"])
def test_the_tables_are_the_code_s(name: str):
    """docs/options.md and docs/doctor.md are what `make docs` writes from the tables in the code."""
    generate = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))
    assert (REPOSITORY / "docs" / name).read_text("utf-8") == generate["page"](name), "run `make docs`"


@pytest.mark.parametrize("page", PAGES)
def test_only_options_that_exist(page: str):
    """No page names an option, a flag or a variable that there is none of."""
    known = {word for option in OPTIONS for word in (option.name, option.flag, option.env)} | {
        "CRUCIBLE_CACHE",
        "CRUCIBLE_POSTGRES",
    }
    text = (REPOSITORY / page).read_text("utf-8")
    named = set(re.findall(r"`(crucible_[a-z_]+|--crucible-[a-z-]+|CRUCIBLE_[A-Z_]+)\b(?![:.*])", text))
    assert named - known - {"crucible_admin"} == set()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str):
    """Every link to a file of the repository finds it."""
    file = REPOSITORY / page
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", file.read_text("utf-8"))
    assert [link for link in links if not (file.parent / link).exists()] == []


def test_the_readme_begins_with_a_test():
    """A reader sees a whole test before line 33."""
    head = (REPOSITORY / "README.md").read_text("utf-8").splitlines()[:32]
    assert any(line.startswith("async def test_") for line in head)
    assert head.count("```") >= 3


def test_every_module_is_on_the_map():
    """ARCHITECTURE.md names each module of the package."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8")
    source = REPOSITORY / "src" / "pytest_crucible"
    names = {path.stem + "/" * path.is_dir() for path in source.iterdir() if path.suffix == ".py" or path.is_dir()}
    names -= {"__init__", "__pycache__/"}
    assert {name for name in names if f"`{name}`" not in text and f"`{name.rstrip('/')}`" not in text} == set()
