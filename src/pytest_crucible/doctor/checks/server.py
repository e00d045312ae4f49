"""The server: whether it can be had, what lies on it, and how many connections it has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...control.templates import KEPT_TEMPLATES
from ...errors.masking import mask
from ..case import Case
from ..findings import Finding


def unreachable(case: Case) -> Iterator[Finding]:
    """The server cannot be started or reached."""
    if error := case.server.failure:
        place = (case.configuration_file, case.line_of("crucible_server")) if case.settings.server != "embedded" else ()
        yield Finding(mask(error.found), error.why, error.do, *place)


def stale(case: Case) -> Iterator[Finding]:
    """Databases that nobody needs any more."""
    server = case.server
    gc = "crucible gc" + ("" if "://" not in case.settings.server else " --server URL")
    if server.dead:
        yield Finding(
            f"Databases of runs that were killed: {_listed(server.dead)}.",
            "The next run on this server collects them.",
            f"Run `{gc}` to drop them now.",
        )
    if server.kept:
        yield Finding(
            f"Databases of failed tests are kept: {_listed(server.kept)}.",
            "crucible_keep_failed keeps them until somebody drops them.",
            f"Open one with `crucible psql NAME`; `{gc}` drops them.",
        )
    if len(server.templates) > KEPT_TEMPLATES * (1 + len(case.settings.databases)):
        yield Finding(
            f"There are {len(server.templates)} templates: {_listed(server.templates)}.",
            f"Each run keeps the {KEPT_TEMPLATES} of its project that were used last; those of projects that are no "
            "more stay.",
            f"Run `{gc} --templates`; the next run builds its own anew.",
        )


def _listed(found: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def connections(case: Case) -> Iterator[Finding]:
    """All pools of all workers together, against what the server has."""
    each, allowed = 1 + case.inspection.connections, case.server.connections
    workers = _workers(case)
    if allowed and workers * each > allowed:
        yield Finding(
            f"{workers} workers may open {workers * each} connections, and the server has {allowed}.",
            f"Each worker's pools open up to {each} (pool_size + max_overflow of each engine, and one of Crucible's "
            "own): “too many clients already”.",
            "Use smaller pools in tests, fewer workers (pytest -n), or a server with a larger max_connections.",
            case.configuration_file,
        )


def _workers(case: Case) -> int:
    """How many workers share the server: by the project's own ``addopts``, else as ``-n auto`` starts them."""
    if not case.uses("pytest-xdist") or case.settings.server.startswith("container-per-worker"):
        return 1
    found = re.search(r"(?:^|\s)(?:-n|--numprocesses)[\s=]*(\d+)", " ".join(case.configuration.words("addopts")))
    return max(1, int(found[1])) if found else case.machine.cpus
