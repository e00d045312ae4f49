"""Lookup: what a dotted path names, and what is said where it names nothing."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_crucible.errors import RedirectError, UsageError
from pytest_crucible.settings.lookup import lookup


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return tmp_path


@pytest.fixture
def message(root: Path) -> Callable[[str], str]:
    def found(dotted: str) -> str:
        with pytest.raises(UsageError) as caught:
            lookup(dotted, option="crucible_app", root=root)
        assert caught.value.why
        assert caught.value.do, "every error says what to do"
        return str(caught.value)

    return found


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize("folder", ["", "src/"])
def test_it_finds_an_attribute(root: Path, folder: str):
    """The project's root and its src need not be on sys.path."""
    write(root, f"{folder}shop_{len(folder)}/main.py", "class Base: metadata = 7")
    assert lookup(f"shop_{len(folder)}.main:Base.metadata", option="crucible_metadata", root=root) == 7


def test_what_is_importable_stays_first(root: Path):
    """A module that the environment has is not shadowed by a folder of the same name in the project."""
    write(root, "json/__init__.py", "loads = None")
    assert lookup("json:loads", option="crucible_app", root=root)
    assert str(root) not in sys.path


def test_a_missing_package(message: Callable[[str], str], root: Path):
    """A top package that is nowhere: the error names it, the folders, and a close match."""
    write(root, "shop/main.py", "")
    text = message("shpo.main:app")
    assert text.startswith("crucible_app = 'shpo.main:app': there is no module 'shpo'.")
    assert str(root / "src") in text
    assert sys.path[-1] in text
    assert "Did you mean 'shop'?" in text


def test_a_missing_module(message: Callable[[str], str], root: Path):
    """A module that its package does not have: the error lists what is there."""
    write(root, "shop/main.py", "")
    write(root, "shop/models.py", "")
    text = message("shop.mian:app")
    assert "there is no module 'shop.mian'." in text
    assert "main, models" in text
    assert "Did you mean 'main'?" in text


def test_a_module_is_no_package(message: Callable[[str], str], root: Path):
    """A dot where the colon belongs, one place too far right."""
    write(root, "shop.py", "class api: app = 1")
    assert 'Write "shop:api"' in message("shop.api:app")


def test_a_module_missing_inside(message: Callable[[str], str], root: Path):
    """A failing import inside the module is told from a missing module, with its cause."""
    write(root, "shop/main.py", "import no_such_dependency")
    text = message("shop.main:app")
    assert "shop.main was found, but importing it fails: No module named 'no_such_dependency'." in text
    assert "Install what provides 'no_such_dependency'" in text
    assert "there is no module" not in text


def test_a_name_missing_inside(message: Callable[[str], str], root: Path):
    """Any other ImportError is shown as it is."""
    write(root, "shop/main.py", "from json import nothing")
    assert "importing shop.main raises ImportError: cannot import name 'nothing'" in message("shop.main:app")


def test_an_import_that_raises(root: Path):
    """An exception at import is shown and chained."""
    write(root, "shop/main.py", "raise RuntimeError('SECRET_KEY is not set')")
    with pytest.raises(UsageError, match=r"raises RuntimeError: SECRET_KEY is not set") as caught:
        lookup("shop.main:app", option="crucible_app", root=root)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_error_of_ours_passes(root: Path):
    """An error of Crucible's at import says itself what to do, and is not wrapped."""
    write(root, "shop/main.py", "from pytest_crucible.errors import RedirectError\nraise RedirectError('found')")
    with pytest.raises(RedirectError):
        lookup("shop.main:app", option="crucible_app", root=root)


def test_a_missing_attribute(message: Callable[[str], str], root: Path):
    """An attribute that is not there: the error lists what is, close matches first."""
    write(root, "shop/main.py", "alpha = api = application = 1")
    text = message("shop.main:aplication")
    assert "shop.main has no 'aplication'." in text
    assert "What exists there: application, " in text
    assert "Did you mean 'application'?" in text


def test_an_empty_module(message: Callable[[str], str], root: Path):
    """Where there is nothing to offer, the error says so."""
    write(root, "shop/main.py", "")
    assert "Nothing exists there." in message("shop.main:app")


def test_a_missing_attribute_further_down(message: Callable[[str], str], root: Path):
    """The error names the part of the path that was still found."""
    write(root, "shop/main.py", "class Base: metadata = 1")
    assert "shop.main.Base has no 'metadat'." in message("shop.main:Base.metadat")


def test_a_url_that_pydantic_refuses(root: Path, message: Callable[[str], str], monkeypatch: pytest.MonkeyPatch):
    """An import that fails with the URL of a variable of crucible_url_env names the option as the probable cause."""
    monkeypatch.setenv("SHOP_URL", "postgresql+asyncpg://crucible@/db?host=/run/s&port=5432")
    settings = "import os\nfrom pydantic import PostgresDsn, TypeAdapter\n"
    settings += "url = TypeAdapter(PostgresDsn).validate_python(os.environ['SHOP_URL'])\n"
    (root / "refusing.py").write_text(settings, "utf-8")
    said = message("refusing:url")
    assert "Probably crucible_url_env is the cause: it sets SHOP_URL" in said
    assert "Name a host in crucible_url_env: SHOP_URL=postgresql+asyncpg@localhost" in said
    monkeypatch.setenv("SHOP_URL", "postgresql+asyncpg:///db")
    assert "crucible_url_env" not in message("refusing:url")
    url = "postgresql+asyncpg://crucible@localhost/db?host=/run/s&port=5432"
    monkeypatch.setenv("SHOP_URL", url)
    assert str(lookup("refusing:url", option="crucible_app", root=root)) == url
