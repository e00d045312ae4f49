"""Checks of the server: its availability, leftover databases, and its connections."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...control.templates import KEPT_TEMPLATES
from ...errors.counting import counted
from ...errors.masking import mask
from ..case import Case
from ..findings import Finding


def unreachable(case: Case) -> Iterator[Finding]:
    """Check that the server can be started or reached."""
    if error := case.server.failure:
        place = (case.configuration_file, case.line_of("crucible_server")) if case.settings.server != "embedded" else ()
        yield Finding(mask(error.found), error.why, error.do, *place)


def stale(case: Case) -> Iterator[Finding]:
    """Yield the databases that are no longer needed."""
    server = case.server
    gc = "crucible gc" + ("" if "://" not in case.settings.server else " --server URL")
    if server.dead:
        yield Finding(
            f"There are databases of killed runs: {_listed(server.dead)}.",
            "The next run on this server drops them.",
            f"Run `{gc}` to drop them now.",
        )
    if server.kept:
        yield Finding(
            f"Databases of failed tests are kept: {_listed(server.kept)}.",
            "crucible_keep_failed keeps them until they are dropped.",
            f"Open one with `crucible psql NAME`; `{gc}` drops them.",
        )
    if len(server.templates) > KEPT_TEMPLATES * (1 + len(case.settings.databases)):
        yield Finding(
            f"There are {len(server.templates)} templates: {_listed(server.templates)}.",
            f"Each run keeps the {KEPT_TEMPLATES} most recently used ones of its project; those of removed projects "
            "stay.",
            f"Run `{gc} --templates`; the next run builds its own template again.",
        )


def _listed(found: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def connections(case: Case) -> Iterator[Finding]:
    """Compare the pools of all workers together with the connections that the server allows."""
    each, allowed = 1 + case.inspection.connections, case.server.connections
    workers = _workers(case)
    if allowed and workers * each > allowed:
        yield Finding(
            f"{counted(workers, 'worker')} may open {workers * each} connections, and the server allows {allowed}.",
            f"Each worker's pools open up to {each} (pool_size + max_overflow of each engine, and one of Crucible's "
            "own): “too many clients already”.",
            "Use smaller pools in tests, fewer workers (pytest -n), or a server with a larger max_connections.",
            case.configuration_file,
        )


def _workers(case: Case) -> int:
    """Return the number of workers that share the server: from ``addopts``, or else as ``-n auto`` starts them."""
    if not case.uses("pytest-xdist") or case.settings.server.startswith("container-per-worker"):
        return 1
    found = re.search(r"(?:^|\s)(?:-n|--numprocesses)[\s=]*(\d+)", " ".join(case.configuration.words("addopts")))
    return max(1, int(found[1])) if found else case.machine.cpus
