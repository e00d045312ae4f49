"""Commands on the databases that outlive a run: kept failures and templates."""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .. import names
from ..admin import Admin
from ..errors import UsageError
from ..server import Lease, lease
from ..server.binaries import find

ENDS = {signal.SIGINT, signal.SIGTERM}
Command = Callable[[argparse.Namespace], int]


@contextmanager
def _leased(options: argparse.Namespace) -> Iterator[tuple[Lease, Admin]]:
    if options.server.partition(":")[0] == "container-per-worker":
        raise UsageError(
            "A container per worker cannot be shared, and so not be looked into from outside the run.",
            why="Each is there for one process, and goes with it.",
            do='Name one that is shared: --server container, as in crucible_server = "container".',
        )
    share = lease(options.server, root=options.root)
    admin = Admin(share)
    try:
        yield share, admin
    finally:
        admin.close()
        share.release()


def psql(options: argparse.Namespace) -> int:
    """Open a kept database; without a name, list them."""
    with _leased(options) as (share, admin):
        kept = _of(admin, "kept")
        if options.name is None:
            print("\n".join(kept) or "No database is kept. Run pytest with --crucible-keep-failed.")
            return 0
        name = _chosen(options.name, [*admin.databases(names.PREFIX)])
        program = find().bin / "psql" if share.kind == "embedded" else shutil.which("psql") or find().bin / "psql"
        # psql handles Ctrl-C itself: it cancels a query. We must outlive it, since our share keeps the server up.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return subprocess.run([str(program), *options.words, share.admin.to(name).url()], check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)


def server(options: argparse.Namespace) -> int:
    """Keep the server running, so that every run only has to join it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # sigwait() is for signals that are blocked
    with _leased(options) as (share, _):
        print(f"{share.note}: {share.admin.url()}\nCtrl-C gives it back.", flush=True)
        signal.sigwait(ENDS)
    return 0


def show(options: argparse.Namespace) -> int:
    """List templates and kept databases."""
    with _leased(options) as (_, admin):
        notes = admin.notes(names.PREFIX)
        for name in [*_of(admin, "template"), *_of(admin, "kept")]:
            print(f"{name}  {notes[name]}".rstrip())
    return 0


def gc(options: argparse.Namespace) -> int:
    """Drop what nobody needs any more."""
    with _leased(options) as (share, admin):
        doomed = _of(admin, "kept") + [name for name in _of(admin, "worker") if admin.is_dead(names.process_of(name))]
        if options.templates:
            doomed += _of(admin, "template")
        for name in doomed:
            admin.drop(name)
            print(f"dropped {name}")
        if doomed:
            share.keep_image()  # or the next server would start from an image that still holds them
    return 0


def _of(admin: Admin, kind: str) -> list[str]:
    found = ((name, names.parse(name)) for name in admin.databases(names.PREFIX))
    return sorted(name for name, parsed in found if parsed is not None and parsed.kind == kind)


def _chosen(beginning: str, there: list[str]) -> str:
    found = [name for name in there if name == beginning] or [name for name in there if name.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{'No' if not found else 'More than one'} database begins with {beginning!r}.",
        why=f"There are: {', '.join(found or there) or 'none'}.",
        do="Run `crucible psql` without a name for the kept ones.",
    )
