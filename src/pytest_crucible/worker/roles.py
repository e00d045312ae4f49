"""Database roles for the application. On a server of Crucible's, a role has the privileges of the project's DDL alone.

The role that the application's URL names owns the schema: of several, the first to which DDL grants nothing. Any
other keeps what DDL grants it; one that nothing is granted to, in any database, joins the owner: an application that
never thought of roles goes on working.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..control import Admin
from ..errors import TemplateError
from ..errors.hints import refusals
from .database import Database

# The owner of the schema where no engine of the application names a role.
DEFAULT_ROLE = "crucible"
# By SQLSTATE and what the error says (PostgreSQL manual, appendix A).
REFUSALS = {
    "missing": ("42704", r'role "(?P<role>.+?)" does not exist'),
    "create": ("42501", "permission denied to create role"),
    "exists": ("42710", r'role "(?P<role>.+?)" already exists'),
}


def refused(error: BaseException | None) -> tuple[str, str | None] | None:
    """Return why PostgreSQL refused a build, where roles are the reason, and the role's name if the error tells it.

    Returns:
        ``missing`` (DDL names a role that is not there), ``create`` (it may not create roles), ``exists``, or None.
    """
    for refusal in refusals(error):
        for what, (code, pattern) in REFUSALS.items():
            match = re.search(pattern, refusal.text) if refusal.state == code else None
            if match:
                return what, match.groupdict().get("role")
    return None


def grantees(roles: Iterable[str], ddl: str) -> set[str]:
    """Return those of *roles* to which the text *ddl* grants something: none of them owns the schema."""
    before = r"\bGRANT\b[^;]{0,1000}?(?<!\bOWNER)\s+TO\s+(?:[\w\"]+\s*,\s*)*"
    named = {role: f'{before}(?:"{re.escape(role)}"|{re.escape(role)}(?!\\w))' for role in roles}
    return {role for role, pattern in named.items() if re.search(pattern, ddl, re.IGNORECASE)}


class Roles:
    """The roles of the application on one server."""

    def __init__(self, admin: Admin, notes: list[str], server: str) -> None:
        self._admin = admin
        self._server = server
        self._notes = notes
        self._joined: set[tuple[str, str]] = set()

    def owner(self, here: Sequence[str], others: Sequence[str], ddl: Callable[[], str], *, by_variable: bool) -> str:
        """Return the role that owns the schema of a database: the first that is named and is granted nothing.

        Args:
            here: The roles of the engines that connect to it, the likeliest first.
            others: Those of all other engines: the DDL may grant them something, so they must be there.
            ddl: Tells the DDL, where there are several roles.
            by_variable: Whether code outside SQLAlchemy comes by a variable, which was set before any engine was made.
        """
        if not self._admin.owned:
            return self._admin.address.user
        if len({*here, *others}) > 1:
            # Which engine was made first depends on which test file was imported first.
            granted = grantees({*here, *others}, ddl())
            here, others = sorted(here, key=granted.__contains__), sorted(others, key=granted.__contains__)
        ordinary = [role for role in (*here, *others) if self._is_ordinary(role)] or [DEFAULT_ROLE]
        for role in ordinary:
            self._admin.role(role)
        owner = ordinary[0]
        if by_variable and owner != DEFAULT_ROLE:
            self._admin.role(DEFAULT_ROLE)
            self._admin.join(DEFAULT_ROLE, owner)
        return owner

    def of(self, user: str | None, owner: str, databases: Collection[Database]) -> str:
        """Return the role as which an engine connects that names *user*, to a database of *owner*'s.

        Args:
            user: The role in the engine's URL, if any.
            owner: The role that owns the schema.
            databases: All that are open: a role with a privilege in any of them does not join the owner.
        """
        if user is None or user == owner or not self._admin.owned or not self._is_ordinary(user):
            return owner
        if (user, owner) in self._joined:
            return user  # for the whole run, whatever the tests' own DDL grants it
        if not self._admin.role(user) and any(database.connect().has_grants(user) for database in databases):
            self._admin.leave(user, owner)  # which it joined when the DDL gave it nothing yet
        elif not self._admin.join(user, owner):
            # Another template on this server has them the other way round, and another run may use it just now.
            self._notes.append(f"role {user!r} has no privileges of its own: it connects as {owner!r}, the owner")
            return owner
        else:
            self._joined.add((user, owner))
            self._notes.append(f"role {user!r} has no privileges of its own: it joins {owner!r}, which owns the schema")
        return user

    @contextmanager
    def of_a_build(self, owner: str) -> Iterator[Callable[[BaseException], bool]]:
        """Yield a function that mends the cause of a build's error, and returns whether it could."""
        creates: list[str] = []

        def mended(error: BaseException) -> bool:
            if self.create_missing(error, owner):
                return True
            if refused(error) != ("create", None) or creates or not self._admin.owned:
                return False
            creates.append(owner)
            self._admin.may_create_roles(owner, yes=True)
            return True

        try:
            yield mended
        finally:
            for creator in creates:
                self._admin.may_create_roles(creator, yes=False)

    def create_missing(self, error: BaseException, owner: str) -> bool:
        """Create the role that *error* says is missing, on a server of Crucible's; return whether one was.

        DDL names roles that no engine connects as: groups, or roles for SET ROLE. *owner* may become such a one, as
        the application may where it runs SET ROLE in production.
        """
        what, role = refused(error) or ("", None)
        if what != "missing" or role is None or not self._admin.owned or not self._admin.role(role):
            return False
        self._admin.lend(role, owner)
        self._notes.append(f"role {role!r} was created, since the DDL names it")
        return True

    def explained(self, error: TemplateError) -> TemplateError:
        """Return *error*, or one that explains roles that are missing or exist already."""
        what, role = refused(error) or ("", None)
        if what == "exists":
            return TemplateError(
                error.found,
                why="Roles belong to the server, not to a database: an engine that names it, or an earlier template,"
                " has made it already.",
                do="Let the DDL ask first: IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname ="
                f" '{role}') THEN CREATE ROLE … in a DO block.",
            )
        if what != "missing" or self._admin.owned:
            return self._refused(error)
        return TemplateError(
            error.found,
            why=f"What fills the template names the role {role!r}. Crucible creates no roles on a server of your own.",
            do=f'Let an administrator run: CREATE ROLE "{role}"',
        )

    def _refused(self, error: TemplateError) -> TemplateError:
        """Return *error*, with advice on a statement that only a superuser may run."""
        from ..advice.superuser_statements import SuperuserHints  # most builds succeed

        hints = SuperuserHints(self._server)
        for refusal in refusals(error):
            advice = hints.advice(refusal)
            if advice is not None:
                statement = refusal.statement
                said = f"The statement was: {statement.strip()}\n" if statement and statement not in error.found else ""
                return TemplateError(error.found, why=said + advice.why, do=advice.do)
        return error

    def _is_ordinary(self, role: str) -> bool:
        return role != self._admin.address.user and not role.startswith("pg_")
