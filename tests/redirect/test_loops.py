"""Engines across event loops: every kind of loop, pool and asynchronous driver, with warnings as errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_crucible.server import Address

INNER = Path(__file__).parent / "inner"

RUN = """
import asyncio, functools
def on_loop(function):
    @functools.wraps(function)
    def test(*args, **kwargs):
        {run}
    return test
"""
HAND = """loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(function(*args, **kwargs))
        finally:
            loop.close()"""
UVLOOP = """import uvloop
        loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(function(*args, **kwargs))
        finally:
            {shutdown}loop.close()"""
MARK = "import pytest\ndef on_loop(function): return pytest.mark.{mark}(function)\n"
ONE_LOOP = """
import asyncio, functools
LOOP = asyncio.new_event_loop()
def on_loop(function):
    @functools.wraps(function)
    def test(*args, **kwargs):
        LOOP.run_until_complete(function(*args, **kwargs))
    return test
"""

KINDS: dict[str, tuple[str, list[str]]] = {
    "auto-function": ("def on_loop(function): return function\n", ["-o", "asyncio_mode=auto"]),
    "auto-session": (
        "def on_loop(function): return function\n",
        ["-o", "asyncio_mode=auto", "-o", "asyncio_default_test_loop_scope=session"],
    ),
    "strict-function": (MARK.format(mark="asyncio"), []),
    "strict-module": (MARK.format(mark="asyncio(loop_scope='module')"), []),
    "anyio": (MARK.format(mark="anyio"), []),
    "asyncio.run": (RUN.format(run="asyncio.run(function(*args, **kwargs))"), []),
    "closed-directly": (RUN.format(run=HAND), []),
    "never-closed": (ONE_LOOP, []),
    "uvloop": (RUN.format(run=UVLOOP.format(shutdown="loop.run_until_complete(loop.shutdown_asyncgens()); ")), []),
    "uvloop-closed-directly": (RUN.format(run=UVLOOP.format(shutdown="")), []),
}


POOLS = "queue null static ping recycle narrow"


def run(kind: str, pytester: pytest.Pytester, address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the inner project: no test fails and no warning is left."""
    if kind.startswith("uvloop"):
        pytest.importorskip("uvloop")
    source, options = KINDS[kind]
    shutil.copytree(INNER, pytester.path, dirs_exist_ok=True)
    Path(pytester.path, "loopkind.py").write_text(source)
    where = (address.host, str(address.port), address.user, address.database)
    monkeypatch.setenv("INNER_ADDRESS", ":".join(where))
    monkeypatch.setenv("INNER_POOLS", POOLS)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    result = pytester.runpytest_subprocess(
        "-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function", "-q", *options
    )
    outcome = result.parseoutcomes()
    assert result.ret == 0, outcome
    assert set(outcome) == {"passed"}, outcome
    assert result.stderr.str() == ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_loops(kind: str, pytester: pytest.Pytester, address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever loop runs the tests, engines with each kind of pool work, and leave nothing behind."""
    run(kind, pytester, address, monkeypatch)
