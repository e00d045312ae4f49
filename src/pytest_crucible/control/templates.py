"""Templates: a database with the schema, built once and kept between runs under its fingerprint.

A template is built under an advisory lock, so exactly once for all workers, runs and machines that share the
server. ``datistemplate`` is set last and is the commit mark: a database without it is the debris of a build that
died, and is built again (the idea is pgtestdb's).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone

import psycopg
from psycopg import sql

from ..errors import TemplateError
from ..project.template_trace import Trace
from ..server.address import Address
from . import database_names
from .admin import Admin
from .marks import DatabaseEntry

KEPT_TEMPLATES = 4
OLD = datetime(1970, 1, 1, tzinfo=timezone.utc)
BUILT_IN_STRATEGIES = 150000


@dataclass(frozen=True)
class Wanted:
    """The template that a run needs.

    Attributes:
        project: The project's label.
        fingerprint: What shapes it.
        owner: The role that shall own it.
        locale: ``crucible_locale``.
        trace: Says in short what shapes it; asked only where it has to be built.
        rebuild: Whether one that an earlier run built is thrown away.
    """

    project: str
    fingerprint: str
    owner: str
    locale: str | None
    trace: Callable[[], Trace]
    rebuild: bool = False


@dataclass(frozen=True)
class Template:
    """A complete template.

    Attributes:
        name: The database.
        owner: The role that owns it and its clones.
        built: Whether this process built it now.
        reason: Why it was built, where the project had another one before.
    """

    name: str
    owner: str
    built: bool = False
    reason: str = ""


class CutOffError(TemplateError):
    """The build of a template was ended by a time-out, or by Ctrl-C."""


def cut_off(error: BaseException, *, last: bool) -> CutOffError:
    """Return the error for a build that *error* ended; after the *last* attempt it is not made again."""
    return CutOffError(
        f"The worker database is not there: {type(error).__name__} ended the build of its template.",
        why="Probably a time-out of the test, which the build took too long for.",
        do="Run the tests once without a time-out: the template is kept for later runs."
        if last
        else "Nothing needs to be done: the template is built once more before the next test, outside its time-out.",
    )


def get_or_build(admin: Admin, wanted: Wanted, build: Callable[[Address], None]) -> Template:
    """Return the template that is *wanted*.

    Args:
        admin: The server's administrator.
        wanted: What it is to be.
        build: Fills the empty database at the address that it gets (the administrator's), once.

    Raises:
        TemplateError: If *build* fails; what it left is dropped.
    """
    if (there := _find(admin, wanted.fingerprint)) and not wanted.rebuild:
        admin.note(there.name)
        return Template(there.name, wanted.owner)
    name = database_names.template(wanted.project, wanted.fingerprint)
    with admin.locked(building(name)):
        there = _find(admin, wanted.fingerprint)  # another process may have built it while this one waited
        trace = wanted.trace()
        if there and not (wanted.rebuild and _run_of(there) != trace.run):
            return Template(there.name, wanted.owner)
        reason = _reason(admin, wanted, trace)
        if there:
            admin.drop(there.name)
        _build(admin, name, wanted, build)
        admin.note(name, trace.text())
        admin.mark_template(name)
    return Template(name, wanted.owner, built=True, reason=reason)


def _build(admin: Admin, name: str, wanted: Wanted, build: Callable[[Address], None]) -> None:
    admin.drop(name)
    create_empty(admin, name, wanted.owner, wanted.locale)
    try:
        build(admin.address.to(name))
    except BaseException:
        admin.drop(name)
        raise
    admin.empty(name)


def _reason(admin: Admin, wanted: Wanted, trace: Trace) -> str:
    """Return why none of the project's other templates will do: in what the newest one differs."""
    others = [entry for entry in _of_project(admin, wanted.project) if _is_like(entry, trace)]
    newest = max(others, key=lambda entry: entry.used or OLD, default=None)
    earlier = Trace.of_text(newest.remark) if newest else None
    return trace.since(earlier) if earlier else ""


def _is_like(entry: DatabaseEntry, trace: Trace) -> bool:
    """Return whether *entry* is another template of the same one of the project's databases."""
    earlier = Trace.of_text(entry.remark)
    return earlier is not None and earlier.database == trace.database and earlier.parts != trace.parts


def _run_of(entry: DatabaseEntry) -> str:
    trace = Trace.of_text(entry.remark)
    return trace.run if trace else ""


def create_empty(admin: Admin, name: str, owner: str, locale: str | None) -> Address:
    """Create the empty database *name*, as a template begins; returns the administrator's address of it."""
    admin.create(name, owner=owner, template="template0", words=_locale_words(locale))
    return admin.address.to(name)


def _find(admin: Admin, fingerprint: str) -> DatabaseEntry | None:
    """Return a complete template with this *fingerprint*, whatever its label: another machine's folder differs."""
    wanted = database_names.parse(database_names.template("any", fingerprint))
    for entry in admin.entries(database_names.PREFIX):
        parsed = database_names.parse(entry.name)
        is_complete = entry.is_marked and entry.is_template and parsed is not None and parsed.kind == "template"
        if is_complete and parsed and wanted and parsed.fingerprint == wanted.fingerprint:
            return entry
    return None


def _of_project(admin: Admin, project: str) -> list[DatabaseEntry]:
    """Return the complete templates of a project."""
    label = database_names.parse(database_names.template(project, "0"))
    parsed = [
        (entry, database_names.parse(entry.name)) for entry in admin.entries(database_names.PREFIX) if entry.is_marked
    ]
    return [
        entry
        for entry, name in parsed
        if entry.is_template and name and label and (name.kind, name.label) == ("template", label.label)
    ]


def building(name: str) -> str:
    """The key that is held while the template *name* is built: the same for every label."""
    parsed = database_names.parse(name)
    return f"build {parsed.fingerprint}" if parsed and parsed.kind == "template" else name


def clone(admin: Admin, template: Template, name: str) -> Address:
    """Clone *template* into the database *name*, which must not exist; returns the administrator's address of it."""
    # FILE_COPY is two to three times faster where checkpoints are free (fsync off); on somebody else's server it
    # forces two real ones, so that one keeps its default.
    words = sql.SQL("STRATEGY FILE_COPY" if admin.owned and admin.version >= BUILT_IN_STRATEGIES else "")
    admin.create(name, owner=template.owner, template=template.name, words=words)
    admin.copy_rights(template.name, name)
    return admin.address.to(name)


def in_use(template: str) -> str:
    """The key that a run holds while it clones from *template*."""
    return f"use {template}"


def keep_as_template(admin: Admin, database: str, name: str, owner: str) -> Template:
    """Copy *database*, from which everybody is thrown out, to a template of this run only."""
    admin.drop(name)
    admin.empty(database)
    admin.create(name, owner=owner, template=database)
    admin.copy_rights(database, name)
    return Template(name, owner)


def collect(admin: Admin, project: str, kept: int = KEPT_TEMPLATES) -> list[str]:
    """Drop the worker databases of dead processes and the project's oldest templates; returns their names.

    Args:
        admin: The server's administrator.
        project: The project's label.
        kept: How many of the project's templates stay.

    Only databases of Crucible's own are looked at: their mark tells, and a live process holds its advisory lock.
    """
    found = admin.databases(database_names.PREFIX)
    gone = [name for name in found if _of_dead_process(admin, name)] + _old_templates(admin, project, kept)
    gone += [name for name, marked in found.items() if not marked and _is_debris(admin, name)]
    return [name for name in gone if _dropped(admin, name)]


def collect_dead(admin: Admin) -> list[str]:
    """Drop the worker databases of dead processes; returns their names."""
    gone = [name for name in admin.databases(database_names.PREFIX) if _of_dead_process(admin, name)]
    return [name for name in gone if _dropped(admin, name)]


def _of_dead_process(admin: Admin, name: str) -> bool:
    process = database_names.process_of(name)
    return bool(process) and admin.is_dead(process)


def _is_debris(admin: Admin, name: str) -> bool:
    """Whether *name* is a template whose build died: without the mark, and nobody holds the lock of its build."""
    parsed = database_names.parse(name)
    return parsed is not None and parsed.kind == "template" and admin.is_dead(building(name))


def _dropped(admin: Admin, name: str) -> bool:
    """Drop *name* if possible: another run may be collecting too, and another role's database is not ours to drop."""
    # Locked, or a build that begins only now would lose its database.
    with suppress(psycopg.Error), admin.locked(building(name)):
        admin.drop(name)
        return True
    return False


def _old_templates(admin: Admin, project: str, kept: int) -> list[str]:
    ours = [entry for entry in _of_project(admin, project) if admin.is_dead(in_use(entry.name))]
    ours.sort(key=lambda entry: entry.used or OLD, reverse=True)
    return [entry.name for entry in ours[kept:]]


def _locale_words(locale: str | None) -> sql.Composable:
    """``C.UTF-8`` is PostgreSQL's own (builtin); ``libc:de_DE.UTF-8`` and ``icu:de-DE`` name a provider."""
    encoding = sql.SQL("ENCODING 'UTF8' ")
    if locale is None:
        return encoding
    provider, colon, name = locale.partition(":")
    if not colon:
        provider, name = ("builtin" if locale in ("C", "C.UTF-8", "PG_UNICODE_FAST") else "libc"), locale
    literal = sql.Literal(name)
    words = {
        "builtin": sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE {} LOCALE 'C'").format(literal),
        "icu": sql.SQL("LOCALE_PROVIDER icu ICU_LOCALE {} LOCALE 'C'").format(literal),
    }
    return encoding + words.get(provider, sql.SQL("LOCALE_PROVIDER libc LOCALE {}").format(literal))
