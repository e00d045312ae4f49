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

from . import names
from .admin import Admin
from .server.address import Address

KEPT_TEMPLATES = 4
OLD = datetime(1970, 1, 1, tzinfo=timezone.utc)
BUILT_IN_STRATEGIES = 150000


@dataclass(frozen=True)
class Template:
    """A complete template.

    Attributes:
        name: The database.
        owner: The role that owns it and its clones.
        built: Whether this process built it now.
    """

    name: str
    owner: str
    built: bool = False


def get_or_build(
    admin: Admin, project: str, fingerprint: str, owner: str, locale: str | None, build: Callable[[Address], None]
) -> Template:
    """The template with this *fingerprint*.

    Args:
        admin: The server's administrator.
        project: The project's label.
        fingerprint: What shaped the template.
        owner: The role that shall own it.
        locale: ``crucible_locale``.
        build: Fills the empty database at the address that it gets (the administrator's), once.

    Raises:
        TemplateError: If *build* fails; what it left is dropped.
    """
    if there := _find(admin, fingerprint):
        admin.note(there)
        return Template(there, owner)
    name = names.template(project, fingerprint)
    with admin.locked(building(name)):
        if there := _find(admin, fingerprint):  # another process built it while this one waited
            return Template(there, owner)
        admin.drop(name)
        create_empty(admin, name, owner, locale)
        try:
            build(admin.address.to(name))
        except BaseException:
            admin.drop(name)
            raise
        admin.empty(name)
        admin.note(name)
        admin.mark_template(name)
    return Template(name, owner, built=True)


def create_empty(admin: Admin, name: str, owner: str, locale: str | None) -> Address:
    """Create the empty database *name*, as a template begins; returns the administrator's address of it."""
    admin.create(name, owner=owner, template="template0", words=_locale_words(locale))
    return admin.address.to(name)


def _find(admin: Admin, fingerprint: str) -> str | None:
    """A complete template with this *fingerprint*, whatever its label: on another machine the project's folder may
    have another name.
    """
    wanted = names.parse(names.template("any", fingerprint))
    for name, marked in sorted(admin.databases(names.PREFIX).items()):
        parsed = names.parse(name)
        if marked and parsed and wanted and (parsed.kind, parsed.fingerprint) == ("template", wanted.fingerprint):
            return name
    return None


def building(name: str) -> str:
    """The key that is held while the template *name* is built: the same for every label."""
    parsed = names.parse(name)
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
    found = admin.databases(names.PREFIX)
    gone = [name for name in found if _of_dead_process(admin, name)] + _old_templates(admin, project, kept)
    gone += [name for name, marked in found.items() if not marked and _is_debris(admin, name)]
    return [name for name in gone if _dropped(admin, name)]


def collect_dead(admin: Admin) -> list[str]:
    """Drop the worker databases of dead processes; returns their names."""
    gone = [name for name in admin.databases(names.PREFIX) if _of_dead_process(admin, name)]
    return [name for name in gone if _dropped(admin, name)]


def _of_dead_process(admin: Admin, name: str) -> bool:
    process = names.process_of(name)
    return bool(process) and admin.is_dead(process)


def _is_debris(admin: Admin, name: str) -> bool:
    """Whether *name* is a template whose build died: without the mark, and nobody holds the lock of its build."""
    parsed = names.parse(name)
    return parsed is not None and parsed.kind == "template" and admin.is_dead(building(name))


def _dropped(admin: Admin, name: str) -> bool:
    """Drop *name* if possible: another run may be collecting too, and another role's database is not ours to drop."""
    # Locked, or a build that begins only now would lose its database.
    with suppress(psycopg.Error), admin.locked(building(name)):
        admin.drop(name)
        return True
    return False


def _old_templates(admin: Admin, project: str, kept: int) -> list[str]:
    label = names.parse(names.template(project, "0"))
    ours = [
        entry
        for entry in admin.entries(names.PREFIX)
        if entry.ours
        and entry.is_template
        and (parsed := names.parse(entry.name))
        and parsed.kind == "template"
        and label
        and parsed.label == label.label
        and admin.is_dead(in_use(entry.name))
    ]
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
