"""One server and one worker database for all tests of isolation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Everything here is imported by its plain name, also by the recipe.
sys.path.insert(0, str(Path(__file__).parent))

from plain_twin import Twin
from world import World

from pytest_crucible.control import rights


@pytest.fixture(scope="session")
def world_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache in which the templates are kept from module to module; each worker has one of its own."""
    return tmp_path_factory.mktemp("cache")


@contextmanager
def opened(cache: Path, many: int = rights.MANY_ROWS, *, only_engines: bool = False) -> Iterator[World]:
    """Open a worker database in which tables with more than *many* rows are restored by difference."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRUCIBLE_CACHE", str(cache))
        patch.setattr(rights, "MANY_ROWS", many)
        world = World(only_engines=only_engines)
        yield world
        world.close()


# Not of the session: its redirect leads every engine of this process, also those of projects run inside other tests.
@pytest.fixture(scope="module")
def world(world_cache: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """Yield the worker database; its server and caches are the tests' own. A module may set MANY_ROWS."""
    with opened(world_cache, getattr(request.module, "MANY_ROWS", rights.MANY_ROWS)) as world:
        yield world


@pytest.fixture(scope="module")
def engines(world_cache: Path) -> Iterator[World]:
    """Yield a worker database that nothing but engines uses."""
    with opened(world_cache, only_engines=True) as world:
        yield world


@pytest.fixture(scope="module")
def twin(world: World) -> Iterator[Twin]:
    """Yield the plain database."""
    twin = Twin(world)
    yield twin
    twin.close(for_ever=True)
