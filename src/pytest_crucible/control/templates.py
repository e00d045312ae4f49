"""Templates: databases with the schema, each built once and kept between runs under its fingerprint.

A template is built under an advisory lock, so exactly once for all workers, runs and machines that share the
server. ``datistemplate`` is set last and marks completion: a database without it is the debris of a build that
died, and is built again (an idea of pgtestdb).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import NamedTuple

from ..errors import TemplateError
from ..project.template_trace import Trace
from ..server.address import Address
from . import database_names
from .admin import Admin
from .driver import psycopg, sql
from .marks import DatabaseEntry

KEPT_TEMPLATES = 4
REBUILT = "template built anew, because of crucible_rebuild"
OLD = datetime(1970, 1, 1, tzinfo=timezone.utc)
BUILT_IN_STRATEGIES = 150000


class Wanted(NamedTuple):
    """The template that a run needs.

    Attributes:
        project: The project's label.
        fingerprint: The hash of its sources.
        owner: The role that owns it.
        locale: The value of ``crucible_locale``.
        trace: A function that returns the trace of its sources, called only if it has to be built.
        rebuild: Whether to discard a template that an earlier run built.
    """

    project: str
    fingerprint: str
    owner: str
    locale: str | None
    trace: Callable[[], Trace]
    rebuild: bool = False


class Template(NamedTuple):
    """A complete template.

    Attributes:
        name: The database.
        owner: The role that owns it and its clones.
        built: Whether this process built it now.
        reason: The reason why it was built, if the project had another one before.
    """

    name: str
    owner: str
    built: bool = False
    reason: str = ""


class CutOffError(TemplateError):
    """A time-out, or Ctrl-C, ended the build of a template."""


def cut_off(error: BaseException, *, last: bool) -> CutOffError:
    """Return the error for a build that *error* ended; after the *last* attempt there is no other."""
    return CutOffError(
        f"The worker database does not exist: {type(error).__name__} ended the build of its template.",
        why="Probably the build took longer than the time-out of the test.",
        do="Run the tests once without a time-out: the template is kept for later runs."
        if last
        else "Nothing: Crucible builds the template once more before the next test, outside its time-out.",
    )


def get_or_build(admin: Admin, wanted: Wanted, build: Callable[[Address], None]) -> Template:
    """Return the template that is *wanted*, and keep other processes from collecting it while this one lives.

    Args:
        admin: The server's administrator.
        wanted: The description of the template.
        build: A function that fills the empty database at the administrator's address that it gets; called once.

    Raises:
        TemplateError: If *build* fails; its database is dropped.
    """
    if (existing := _find(admin, wanted.fingerprint)) and not wanted.rebuild:
        admin.live(in_use(existing.name))  # this waits while another process drops it as too old
        if admin.databases(existing.name).get(existing.name):
            admin.note(existing.name)
            return Template(existing.name, wanted.owner)
    name = database_names.template(wanted.project, wanted.fingerprint)
    with admin.locked(building(name)):
        existing = _find(admin, wanted.fingerprint)  # another process may have built it while this one waited
        trace = wanted.trace()
        if existing and not (wanted.rebuild and _run_of(admin, existing) != trace.run):
            admin.live(in_use(existing.name))
            return Template(existing.name, wanted.owner)
        reason = REBUILT if existing else _reason(admin, wanted, trace)
        if existing:
            admin.drop(existing.name)
        _build(admin, name, wanted, build)
        admin.note(name, trace.text())
        admin.mark_template(name)
        admin.live(in_use(name))
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
    """Return the difference of the template from the newest of the project's other templates."""
    others = sorted(_of_project(admin.entries(database_names.PREFIX), wanted.project), key=_last_used, reverse=True)
    remarks = admin.remarks([entry.name for entry in others])
    traces = (Trace.of_text(remarks.get(entry.name, "")) for entry in others)
    earlier = next((each for each in traces if each is not None and _is_like(each, trace)), None)
    return trace.since(earlier) if earlier else ""


def _is_like(earlier: Trace, trace: Trace) -> bool:
    """Return whether *earlier* is that of another template of the same database of the project."""
    return earlier.database == trace.database and earlier.parts != trace.parts


def _run_of(admin: Admin, entry: DatabaseEntry) -> str:
    trace = Trace.of_text(admin.remarks([entry.name]).get(entry.name, ""))
    return trace.run if trace else ""


def _last_used(entry: DatabaseEntry) -> datetime:
    return entry.used or OLD


def create_empty(admin: Admin, name: str, owner: str, locale: str | None) -> Address:
    """Create the empty database *name* for a template, and return the administrator's address of it."""
    admin.create(name, owner=owner, template="template0", clauses=_locale_clauses(locale))
    return admin.address.to(name)


def _find(admin: Admin, fingerprint: str) -> DatabaseEntry | None:
    """Return a complete template with this *fingerprint*, with any label: it depends on the machine's folders."""
    wanted = database_names.parse(database_names.template("any", fingerprint))
    for entry in admin.entries(database_names.PREFIX):
        parsed = database_names.parse(entry.name)
        is_complete = entry.is_marked and entry.is_template and parsed is not None and parsed.kind == "template"
        if is_complete and parsed and wanted and parsed.fingerprint == wanted.fingerprint:
            return entry
    return None


def _of_project(entries: Iterable[DatabaseEntry], project: str) -> list[DatabaseEntry]:
    """Return the complete templates of a project among *entries*."""
    label = database_names.parse(database_names.template(project, "0"))
    parsed = [(entry, database_names.parse(entry.name)) for entry in entries if entry.is_marked]
    return [
        entry
        for entry, name in parsed
        if entry.is_template and name and label and (name.kind, name.label) == ("template", label.label)
    ]


def building(name: str) -> str:
    """Return the key that is held while the template *name* is built: the same for every label."""
    parsed = database_names.parse(name)
    return f"build {parsed.fingerprint}" if parsed and parsed.kind == "template" else name


def clone(admin: Admin, template: Template, name: str) -> Address:
    """Clone *template* into the new database *name*, and return the administrator's address of it."""
    # FILE_COPY is two to three times faster if checkpoints are free (fsync off). On an external server it would force
    # two real checkpoints, so the default strategy is used there.
    strategy = sql.SQL("STRATEGY FILE_COPY" if admin.owned and admin.version >= BUILT_IN_STRATEGIES else "")
    admin.create(name, owner=template.owner, template=template.name, clauses=strategy)
    admin.copy_rights(template.name, name)
    return admin.address.to(name)


def in_use(template: str) -> str:
    """Return the key that a run holds while it clones from *template*."""
    return f"use {template}"


def keep_as_template(admin: Admin, database: str, name: str, owner: str) -> Template:
    """Copy *database* to a template of this run only, after ending the sessions in it."""
    admin.drop(name)
    admin.empty(database)
    admin.create(name, owner=owner, template=database)
    admin.copy_rights(database, name)
    return Template(name, owner)


def collect(admin: Admin, project: str, kept: int = KEPT_TEMPLATES) -> list[str]:
    """Drop the worker databases of dead processes and the project's oldest templates; return their names.

    Only databases with Crucible's mark are considered. A live process holds an advisory lock.
    """
    entries = [entry for entry in admin.entries(database_names.PREFIX) if entry.is_marked]
    unused = _of_dead_processes(admin, [entry.name for entry in entries])
    unused += _old_templates(admin, _of_project(entries, project), kept)
    # The debris of a build that died: no process holds its lock.
    incomplete = [entry.name for entry in entries if not entry.is_template and _is_template(entry.name)]
    debris = _unheld(admin, {name: building(name) for name in incomplete})
    return [name for name in [*unused, *debris] if _dropped(admin, name, unless_complete=name in debris)]


def collect_dead(admin: Admin) -> list[str]:
    """Drop the worker databases of dead processes, and return their names."""
    unused = _of_dead_processes(admin, admin.databases(database_names.PREFIX))
    return [name for name in unused if _dropped(admin, name)]


def _of_dead_processes(admin: Admin, databases: Iterable[str]) -> list[str]:
    processes = {name: database_names.process_of(name) for name in databases}
    return _unheld(admin, {name: process for name, process in processes.items() if process})


def _unheld(admin: Admin, keys: Mapping[str, str]) -> list[str]:
    """Return the databases of *keys* whose key no process holds, in one round trip."""
    dead = admin.dead(set(keys.values()))
    return [name for name, key in keys.items() if key in dead]


def _is_template(name: str) -> bool:
    parsed = database_names.parse(name)
    return parsed is not None and parsed.kind == "template"


def _dropped(admin: Admin, name: str, *, unless_complete: bool = False) -> bool:
    """Drop *name* if possible: another run may collect at the same time, and another role may own the database."""
    # Under the lock of its build, since a build that begins now would lose its database; and alone, since a run may
    # have found the template since the databases were listed.
    with suppress(psycopg.Error), admin.locked(building(name)), admin.alone(in_use(name)) as is_unused:
        # A build that had not ended when the databases were listed may have released its lock since.
        if not is_unused or (unless_complete and any(entry.is_template for entry in admin.entries(name))):
            return False
        admin.drop(name)
        return True
    return False


def _old_templates(admin: Admin, entries: Iterable[DatabaseEntry], kept: int) -> list[str]:
    entries = sorted(entries, key=_last_used, reverse=True)
    return _unheld(admin, {entry.name: in_use(entry.name) for entry in entries})[kept:]


def _locale_clauses(locale: str | None) -> sql.Composable:
    """Return the clauses for *locale*: ``C.UTF-8`` is builtin; ``libc:de_DE.UTF-8``, ``icu:de-DE`` name a provider."""
    encoding = sql.SQL("ENCODING 'UTF8' ")
    if locale is None:
        return encoding
    provider, colon, name = locale.partition(":")
    if not colon:
        provider, name = ("builtin" if locale in ("C", "C.UTF-8", "PG_UNICODE_FAST") else "libc"), locale
    literal = sql.Literal(name)
    clauses = {
        "builtin": sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE {} LOCALE 'C'").format(literal),
        "icu": sql.SQL("LOCALE_PROVIDER icu ICU_LOCALE {} LOCALE 'C'").format(literal),
    }
    return encoding + clauses.get(provider, sql.SQL("LOCALE_PROVIDER libc LOCALE {}").format(literal))
