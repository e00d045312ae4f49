"""Versions of pytest and pytest-asyncio that are too old end the run before it begins."""

import sys
from importlib import import_module

import pytest
import pytest_asyncio

from pytest_crucible import pytest_plugin


def test_a_pytest_that_is_too_old(monkeypatch: pytest.MonkeyPatch):
    """An older pytest is refused with the version that was found, before an option of newer ones fails."""
    monkeypatch.setattr(pytest, "version_tuple", (8, 3, 4))
    monkeypatch.setattr(pytest, "__version__", "8.3.4")
    with pytest.raises(pytest.UsageError) as refused:
        pytest_plugin.pytest_addoption(object())  # type: ignore[arg-type] # not looked at
    assert str(refused.value).startswith("pytest-crucible needs pytest 9.0, found 8.3.4.")
    assert 'pip install "pytest>=9.0"' in str(refused.value)


def test_a_pytest_asyncio_that_is_too_old(monkeypatch: pytest.MonkeyPatch):
    """A pytest-asyncio without scopes of loops is refused: pytest 9 admits 0.21, which excludes no later pytest."""

    def fixture(fixture_function: object = None, *, scope: str = "function", name: str | None = None) -> None: ...

    monkeypatch.setattr(pytest_asyncio, "fixture", fixture)
    monkeypatch.setattr(pytest_asyncio, "__version__", "0.21.1")
    monkeypatch.delitem(sys.modules, "pytest_crucible.fixtures.with_asyncio", raising=False)
    with pytest.raises(pytest.UsageError) as refused:
        import_module("pytest_crucible.fixtures.with_asyncio")
    assert str(refused.value).startswith("pytest-crucible needs pytest-asyncio 1.0, found 0.21.1.")
    assert 'pip install "pytest-asyncio>=1.0"' in str(refused.value)
