"""Commands on the databases that outlive a run: templates, and kept databases of failed tests."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import psycopg

from ..control import Admin, DatabaseEntry, templates
from ..control import database_names as names
from ..errors import CrucibleError, UsageError
from ..server import Address, Lease, lease
from ..server.embedded.binaries import find
from ..server.remains import remove_remains
from . import caches, units

ENDS = {signal.SIGINT, signal.SIGTERM}
OLD = datetime(1970, 1, 1, tzinfo=timezone.utc)
Command = Callable[[argparse.Namespace], int]


@contextmanager
def _leased(options: argparse.Namespace) -> Iterator[tuple[Lease, Admin]]:
    if options.server.partition(":")[0] == "container-per-worker":
        raise UsageError(
            "A container per worker is not shared, and cannot be reached from outside the run.",
            why="Each container belongs to one process, and is removed with it.",
            do='Name a shared one: --server container, as in crucible_server = "container".',
        )
    share = lease(options.server, root=options.root)
    for note in share.notes:
        print(f"crucible: {note}", file=sys.stderr)
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
        if options.name is None and options.last is None:
            _list(admin, kept)
            return 0
        newest = options.last is not None
        name = _newest(kept) if newest else _chosen(options.name, [*admin.databases(names.PREFIX)])
        program = find().bin / "psql" if share.kind == "embedded" else shutil.which("psql") or find().bin / "psql"
        return _run(str(program), options.last if newest else options.words, share.admin.to(name))


def _run(program: str, arguments: list[str], address: Address) -> int:
    # psql handles Ctrl-C itself: it cancels a query. This process must outlive psql: its lease keeps the server up.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        url, environment = address.without_secrets().url(), _environment(address)
        return subprocess.run([program, *arguments, url], check=False, env=environment).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _environment(address: Address) -> dict[str, str]:
    """Return the environment for psql with the password, which in an argument every user of the machine could see."""
    password = {} if address.password is None else {"PGPASSWORD": str(address.password)}
    return {**os.environ, **password}


def server(options: argparse.Namespace) -> int:
    """Keep the server running, so that runs need not start it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # sigwait() needs blocked signals
    with _leased(options) as (share, _):
        print(f"{share.note}: {share.admin.without_secrets().url()}\nCtrl-C releases it.", flush=True)
        signal.sigwait(ENDS)
    return 0


def show(options: argparse.Namespace) -> int:
    """List templates and kept databases."""
    with _leased(options) as (_, admin):
        _list(admin, [*_of(admin, "template"), *_of(admin, "kept")])
    return 0


def _list(admin: Admin, entries: list[DatabaseEntry]) -> None:
    if not entries:
        print("No database is kept. Run pytest with --crucible-keep-failed.")
    width = max((len(entry.name) for entry in entries), default=0)
    now = datetime.now(timezone.utc)
    for entry in entries:
        size = admin.size(entry.name)
        used = f"  {units.age(entry.used, now)}" if entry.used else ""
        print(f"{entry.name:{width}}  {units.size(size) if size else '?':>6}{used}")


def gc(options: argparse.Namespace) -> int:
    """Drop databases that no run needs any more, and remove what servers of dead runs have left.

    Returns:
        0; 1 if a database could not be dropped.
    """
    if options.cache:
        return caches.clean(options)
    for one in remove_remains():
        print(f"removed {one.folder}, left by a server whose supervisor was killed")
    with _leased(options) as (share, admin):
        doomed = _of(admin, "kept") + [entry for entry in _of(admin, "worker") if _is_dead(admin, entry)]
        if options.templates:
            doomed += _of(admin, "template")
        dropped = [_drop(admin, entry) for entry in doomed]
        if any(dropped):
            share.keep_image()  # otherwise the next server would start from an image that still contains them
        _name_unmarked(admin)
    return 0 if all(dropped) else 1


def _is_dead(admin: Admin, entry: DatabaseEntry) -> bool:
    return admin.is_dead(names.process_of(entry.name))


def _drop(admin: Admin, entry: DatabaseEntry) -> bool:
    """Drop one database and print it; print the reason if that fails, so that others are still dropped."""
    try:
        if not all(map(admin.is_dead, (templates.in_use(entry.name), templates.building(entry.name)))):
            raise UsageError("a run uses it.")
        admin.drop(entry.name)
    except (psycopg.Error, CrucibleError) as error:
        print(f"crucible: {entry.name} cannot be dropped: {str(error).strip()}", file=sys.stderr)
        return False
    print(f"dropped {entry.name}")
    return True


def _name_unmarked(admin: Admin) -> None:
    for entry in admin.entries(names.PREFIX):
        if not entry.is_marked and names.parse(entry.name):
            print(f"left {entry.name}, which lacks Crucible's mark; to drop it: {entry.drop_by_hand()}")


def _of(admin: Admin, kind: str) -> list[DatabaseEntry]:
    parsed_entries = ((entry, names.parse(entry.name)) for entry in admin.entries(names.PREFIX) if entry.is_marked)
    return [entry for entry, parsed in parsed_entries if parsed is not None and parsed.kind == kind]


def _chosen(beginning: str, existing: list[str]) -> str:
    longer = [name for name in existing if name.startswith(beginning)]
    matches = [name for name in longer if name == beginning] or longer
    if len(matches) == 1:
        return matches[0]
    raise UsageError(
        f"{'No' if not matches else 'More than one'} database begins with {beginning!r}.",
        why=f"{'The databases are' if not matches else 'These do'}: {', '.join(matches or existing) or 'none'}.",
        do="Run `crucible psql` without a name to list the kept ones.",
    )


def _newest(kept: list[DatabaseEntry]) -> str:
    """Return the name of the most recently kept database; if the test has several, that of the main one."""
    if not kept:
        raise UsageError("No database is kept.", do="Run pytest with --crucible-keep-failed.")
    last = max(kept, key=lambda entry: entry.used or OLD)
    tail = last.name.rsplit("_", 2)[1:]
    return min((entry.name for entry in kept if entry.name.rsplit("_", 2)[1:] == tail), key=len)
