"""What keeps a container from starting, in words for the user who runs the tests."""

from __future__ import annotations

import sys

import pytest

from pytest_crucible.errors import ServerError, UsageError
from pytest_crucible.server import lease
from pytest_crucible.server.container import errors as container_errors


def test_without_testcontainers(tmp_path, monkeypatch):
    """Without the package that starts containers, the error says what to install."""
    monkeypatch.setitem(sys.modules, "testcontainers", None)
    with pytest.raises(ServerError, match="testcontainers is not installed") as error:
        lease("container", root=tmp_path, cache=tmp_path)
    assert "pip install 'pytest-crucible[containers]'" in error.value.do


@pytest.mark.parametrize("word", ["missing", "engine", "image", "died", "slow", "failed"])
def test_every_message_names_the_server_that_needs_no_container(word: str):
    """Whatever went wrong, the embedded server is named, and the end of the log stands below."""
    error = container_errors.explain(word, "postgres:16-alpine", "the details", "the last words")
    assert 'crucible_server = "embedded", the default' in error.do
    assert error.do.endswith("    the last words")
    assert error.found
    assert error.why


def test_a_server_that_is_none(tmp_path):
    """What names no server is answered with what does."""
    with pytest.raises(UsageError, match="names no server") as error:
        lease("docker", root=tmp_path)
    assert '"container"' in error.value.do
