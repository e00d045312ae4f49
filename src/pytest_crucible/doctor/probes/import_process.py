"""The import of the settings' objects in a process of its own, which may crash, hang or print without harm.

Run as ``python -m pytest_crucible.doctor.probes.import_process FILE``: reads the settings as JSON from stdin and writes
the result to FILE. No engine connects during the import: the redirect refuses each.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...app import application
from ...errors import CrucibleError
from ...recipes import recipe_of
from ...recipes.live_engines import engines
from ...redirect import Redirect
from ...settings import Settings, resolve
from ...settings.lookup import lookup, make_importable
from .imported_project import variables

MAKERS = ("crucible_metadata", "crucible_schema", "crucible_databases")
FORBIDDEN = "The module connects to a database while it is imported."
CONNECTS = {
    "found": FORBIDDEN,
    "why": "crucible doctor lets nothing connect, and so has imported the objects of the settings up to there only.",
    "do": "Nothing for the tests: in a run the connection goes to the worker database. In any other process it goes"
    " where its URL says.",
    "severity": "note",
}


def inspect(settings: Settings, conftests: list[str]) -> dict[str, Any]:
    """Import the application and the metadata, after *conftests*, and describe the result.

    Returns:
        ``problems``, each with option, found, why, do and severity; the names of ``modules`` that were imported; and
        the number of ``connections`` that the pools of all engines open at most.
    """
    redirect = Redirect(_nowhere)
    redirect.install()
    redirect.prohibition.set(FORBIDDEN)
    try:
        for path in settings.paths if conftests else ():
            make_importable(path, settings.root)
        _run_conftests(conftests)
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
            if _connects(error):
                return  # what follows may fail since a module is half imported
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
    if _connects(error):
        return {"option": option, **CONNECTS}
    return {"option": option, "found": error.found, "why": error.why, "do": error.do, "severity": ""}


def _connects(error: BaseException | None) -> bool:
    """Return whether an error comes from a connection that was refused here."""
    while error is not None and FORBIDDEN not in str(error):
        error = error.__cause__ or error.__context__
    return error is not None


def _run_conftests(paths: list[str]) -> None:
    """Import conftests as pytest does, for what they set; one may fail afterwards, since pytest itself is absent."""
    for path in map(Path, paths):
        folder = next(one for one in path.parents if not (one / "__init__.py").exists())
        name = ".".join(path.relative_to(folder).with_suffix("").parts)
        sys.path.insert(0, str(folder))
        sys.modules.pop(name, None)
        with suppress(Exception):
            importlib.import_module(name)


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
    Path(words[0]).write_text(json.dumps(inspect(settings, given["conftests"])), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
