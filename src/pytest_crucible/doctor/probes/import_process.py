"""The import of the settings' objects in a process of its own, which may crash, hang or print without harm.

Run as ``python -m pytest_crucible.doctor.probes.import_process FILE``: reads the settings as JSON from stdin and writes
the result to FILE. No engine connects during the import: the redirect refuses each.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...app import application
from ...errors import CrucibleError
from ...recipes import recipe_of
from ...recipes.live_engines import engines
from ...redirect import Redirect
from ...settings import Settings, resolve
from ...settings.lookup import lookup
from .imported_project import variables

MAKERS = ("crucible_metadata", "crucible_schema", "crucible_databases")
FORBIDDEN = (
    "The module connects to a database while it is imported.\n"
    "crucible doctor imports the objects that the settings name, and lets nothing connect.\n"
    "In a test run the connection goes to the worker database; in any other process it goes where its URL says."
)


def inspect(settings: Settings) -> dict[str, Any]:
    """Import the application and the metadata, and describe the result.

    Returns:
        ``problems``, each with option, found, why and do; the names of ``modules`` that were imported; and the number
        of ``connections`` that the pools of all engines open at most.
    """
    redirect = Redirect(_nowhere)
    redirect.install()
    redirect.forbid(FORBIDDEN)
    try:
        problems = list(_problems(settings))
        modules = sorted(sys.modules)
        return {"problems": problems, "modules": modules, "connections": sum(map(_most, engines()))}
    finally:
        redirect.remove()


def _nowhere(origin: object) -> Any:
    raise CrucibleError(FORBIDDEN)


def _problems(settings: Settings) -> Iterator[dict[str, str]]:
    before = 0
    for option, path in _paths(settings):
        try:
            lookup(path, option=option, root=settings.root)
        except CrucibleError as error:
            before += 1
            yield _problem(option, error)
    attempts: dict[str, Callable[[Settings], object]] = {}
    if settings.app:
        attempts["crucible_app"] = application
    if settings.has_main:
        made_by = "alembic" if settings.alembic else "schema" if settings.schema else "metadata"
        attempts[f"crucible_{made_by}"] = recipe_of
    for option, attempt in attempts.items():
        if not before:
            try:
                attempt(settings)
            except CrucibleError as error:
                yield _problem(option, error)
            except Exception as error:  # noqa: BLE001 - a factory of the user may raise anything
                failed = CrucibleError(
                    f"{option}: {type(error).__name__}: {error}",
                    why="A factory is called without arguments.",
                    do="Make it work without the environment of production.",
                )
                yield _problem(option, failed)


def _paths(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in ("app", "load", "get_session", "access_token"):
        if value := getattr(settings, name):
            yield f"crucible_{name}", value
    yield from (pair for pair in settings.named_paths() if pair[0] in MAKERS)


def _problem(option: str, error: CrucibleError) -> dict[str, str]:
    return {"option": option, "found": error.found, "why": error.why, "do": error.do}


def _most(engine: Any) -> int:
    size = getattr(engine.pool, "size", lambda: 1)()
    overflow = max(0, getattr(engine.pool, "_max_overflow", 0))  # no public name; -1 means no limit
    return int(size + overflow)


def main(words: list[str]) -> None:
    """Read the settings, import their objects, and write the result."""
    given = json.load(sys.stdin)
    sys.path[:0] = given["paths"]
    os.dup2(2, 1)  # the project's own output must not mix with the answer
    os.chdir(given["root"])
    settings = resolve(Path(given["root"]), flags={}, environ={}, file=given["file"])
    os.environ.update(variables(settings))
    Path(words[0]).write_text(json.dumps(inspect(settings)), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
