"""The templates of a process's databases: found on the server, or built there."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from functools import partial

from sqlalchemy.engine import Engine

from .. import recipes
from ..control import database_names as names
from ..control import marks, reset, templates
from ..errors import TemplateError, UsageError
from ..project.template_trace import Trace
from ..recipes.fingerprints import fingerprint
from ..recipes.live_engines import engines, roles
from ..redirect import Origin, Redirect
from ..server import where_kept
from ..server.address import Address
from .database import Database
from .leased_server import LeasedServer
from .progress import Progress

# A template that an older Crucible made without the mark has another name.
MARKED = {"mark": str(marks.MARK)}


class TemplateBuilder:
    """Finds or builds the template of a database.

    Args:
        server: The server of this process.
        redirect: The redirect, which leads to a template while it is filled.
        keys: The key of the database to which each name in a URL leads, that of the main database first. All other
            names lead to the main one.

    Attributes:
        built: The number of templates that were built here.
        tables: The tables that metadata had when the templates were found or built.
        progress: What the run waits for.
    """

    def __init__(self, server: LeasedServer, redirect: Redirect, keys: Mapping[str | None, str | None]) -> None:
        self.built = 0
        self.tables: set[str] = set()
        self.progress = Progress()
        self._settings = server.settings
        self._project = names.project_label(server.settings.root)
        self._server = server
        self._redirect = redirect
        self._keys = keys
        self._main = next(iter(keys.values()))
        self._is_tidy = False
        self._passed_over: weakref.WeakSet[Engine] = weakref.WeakSet()

    def pass_over_engines(self) -> None:
        """Ignore the engines that exist now: they are not the application's."""
        self._passed_over.update(engines())

    def reached_keys(self) -> set[str | None]:
        """Return the keys of the databases to which the application's engines lead."""
        return {self._key(engine.url.database) for engine in engines() if engine not in self._passed_over}

    def roles(self) -> list[tuple[str, str | None]]:
        """Return the roles that the application's engines name, each with its database's key, the likeliest first."""
        named = roles(self._passed_over, self._settings.packages)
        return [(role, self._key(name)) for role, name in named]

    def template(self, database: Database, recipe: recipes.Recipe) -> templates.Template:
        """Return the template of *database*, which is built by *recipe* if the server has none like it.

        Raises:
            TemplateError: If the recipe fails.
        """
        self._collect()
        self.tables |= recipe.tables
        owner = self.owner(database, recipe)
        admin, locale = self._server.connect(), self._settings.locale
        facts = {"owner": owner, "server": str(admin.version), "reset": self._server.rights().source()}
        parts = recipe.parts() | facts | MARKED
        trace = partial(Trace.of_parts, parts, self._settings.root, database=database.label, run=self._server.run)
        wanted = templates.Wanted(self._project, fingerprint(parts), owner, locale, trace, self._settings.rebuild)
        template = self._get_or_build(database, recipe, wanted)
        if template.built:
            self.built += 1
            self._server.notes += filter(None, [template.reason])
            self._server.lease().keep_image()
        return template

    def owner(self, database: Database, recipe: recipes.Recipe) -> str:
        """Return the role that owns the schema of *database*."""
        here: list[str] = []
        others: list[str] = []
        for role, key in self.roles():
            (here if key == database.key else others).append(role)
        by_variable = bool(self._settings.url_env)
        return self._server.roles().owner(here, others, recipe.ddl, by_variable=by_variable)

    def _key(self, name: str | None) -> str | None:
        return self._keys.get(name, self._main)

    def _collect(self) -> None:
        """Drop what dead processes have left, before the first template."""
        if self._is_tidy:
            return
        self._is_tidy = True
        kept = templates.KEPT_TEMPLATES * len(set(self._keys.values()))
        if templates.collect(self._server.connect(), self._project, kept):
            self._server.lease().keep_image()  # or the next server would start with them again

    def _get_or_build(self, database: Database, recipe: recipes.Recipe, wanted: templates.Wanted) -> templates.Template:
        build = partial(self._build, database, recipe, wanted.owner)
        roles = self._server.roles()
        with roles.of_a_build(wanted.owner) as mended:
            while True:
                try:
                    return templates.get_or_build(self._server.connect(), wanted, build)
                except TemplateError as error:
                    if mended(error):
                        continue
                    explained = roles.explained(error)
                    if explained is error:  # "from" would replace its cause, PostgreSQL's own error, by itself
                        raise
                    raise explained from error

    def _build(self, database: Database, recipe: recipes.Recipe, owner: str, address: Address) -> None:
        server, admin = self._server.lease(), self._server.connect()
        if server.kind == "container":  # the embedded server's own are all trusted
            admin.extend(address.database, database.settings.extensions)
        refuse = partial(self._refuse_others, database)
        done = f"the template is built, and kept {where_kept(server)}"
        with self.progress.of(lambda: f"building the template {address.database}: {recipe.doing}", done):
            with self._redirect.lead_to(address.to(address.database, user=owner), refuse):
                recipe.fill()
            admin.empty(address.database)
            reset.install(address, self._server.rights())

    def _refuse_others(self, database: Database, origin: Origin) -> None:
        """Raise an error where the recipe of *database* connects to another one, whose template does not know it."""
        name = origin.database
        if name is not None and name in self._keys.values() and name != database.key:
            raise _not_while_filling(name)


def _not_while_filling(name: str) -> UsageError:
    return UsageError(
        f"A template is being built, and what fills it connects to the database {name!r}.",
        why="Each database has a template of its own; crucible_load fills the main one only.",
        do=f"Fill {name!r} in a session-scoped fixture: what that commits stays for all tests.",
    )
