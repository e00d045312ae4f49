"""Recipes: what a template is made from, and how.

A recipe says what shaped the template (its parts go into the fingerprint) and fills an empty database. The first
one builds from metadata; one for Alembic has its place here.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from importlib.metadata import version
from typing import Any

import sqlalchemy
from sqlalchemy import MetaData, create_engine, create_mock_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from .errors import CrucibleError, TemplateError, UsageError
from .fingerprint import declared, fingerprint, of_files, of_module_source
from .lookup import lookup
from .server.missing import missing_extension
from .settings import Settings

# Any driver that SQLAlchemy has a dialect for and that Crucible itself depends on: it makes control connections only.
URL = "postgresql+psycopg://"


class MetadataRecipe:
    """Extensions, then every schema that the metadata names, ``create_all``, and the user's data.

    Args:
        settings: The application is imported first, so that its models and listeners are all there.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        root = settings.root
        if settings.app and not _being_imported(settings.app):
            lookup(settings.app, option="crucible_app", root=root)
        self.metadata = [_metadata(path, settings) for path in settings.metadata]
        found = lookup(settings.load, option="crucible_load", root=root) if settings.load else None
        if found is not None and not callable(found):
            raise UsageError(
                f"crucible_load: {settings.load} is {type(found).__name__}, not a callable.",
                do="Name a function: it is called with no argument, or with one session.",
            )
        self.load: Callable[..., object] | None = found

    def parts(self) -> dict[str, str]:
        """What shapes the template, by name."""
        parts = {
            "extensions": "\n".join(self.settings.extensions),
            "locale": self.settings.locale or "",
            "SQLAlchemy": sqlalchemy.__version__,
            "pytest-crucible": version("pytest-crucible"),
            "metadata": "\n\n".join(_ddl(metadata) for metadata in self.metadata),
        }
        if self.load is not None:
            parts["load"] = of_module_source(self.load)
            patterns = declared(self.load)
            parts["load files"] = of_files(self.settings.root, patterns) if patterns else ""
        return parts

    def fill(self) -> None:
        """Fill the database to which every engine is led meanwhile.

        Raises:
            TemplateError: If the database refuses a statement.
        """
        engine = create_engine(URL, poolclass=NullPool)
        with engine.begin() as connection:
            for extension in self.settings.extensions:
                _create_extension(connection, extension)
            for schema in sorted(_schemas(self.metadata)):
                connection.execute(sqlalchemy.schema.CreateSchema(schema, if_not_exists=True))
        for path, metadata in zip(self.settings.metadata, self.metadata, strict=True):
            try:
                metadata.create_all(engine)
            except sqlalchemy.exc.SQLAlchemyError as error:
                raise _failed(f"create_all() of {path}", error) from error
        if self.load is not None:
            _call(self.load, engine, str(self.settings.load))


def _being_imported(path: str) -> bool:
    """Whether it is the application's import that asks for the database: `create_all(engine)` before `app = …`."""
    module = sys.modules.get(path.partition(":")[0])
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def engines() -> list[Engine]:
    """The PostgreSQL engines of this process, the first one first.

    SQLAlchemy keeps no list of engines; the garbage collector does, each generation in the order of creation.
    """
    # type(), not isinstance(): that would run __class__ properties of arbitrary objects.
    kinds = {Engine, *Engine.__subclasses__()}
    found: list[Engine] = [thing for age in (2, 1, 0) for thing in gc.get_objects(age) if type(thing) in kinds]
    return [engine for engine in found if engine.dialect.name == "postgresql"]


def roles(others: Container[Engine]) -> list[str]:
    """The roles in the URLs of the engines that the application has made so far, the first one first.

    Args:
        others: Engines that are not the application's.
    """
    named = [engine.url.username for engine in engines() if engine not in others]
    return list(dict.fromkeys(filter(None, named)))


def _metadata(path: str, settings: Settings) -> MetaData:
    found = lookup(path, option="crucible_metadata", root=settings.root)
    metadata = found if isinstance(found, MetaData) else getattr(found, "metadata", None)
    if not isinstance(metadata, MetaData):
        raise UsageError(
            f"crucible_metadata: {path} is {type(found).__name__}, which has no metadata.",
            why="The schema is built from a declarative base, a registry, SQLModel or a MetaData object.",
            do='Name one of these: crucible_metadata = ["app.models:Base"]',
        )
    if not metadata.tables:
        raise UsageError(
            f"crucible_metadata: {path} knows no table.",
            why="A model is known to its base once its module is imported, and nothing has imported one.",
            do="Name a path through a module that imports the models, or set crucible_app so that the application is"
            " imported first.",
        )
    return metadata


def _ddl(metadata: MetaData) -> str:
    """What ``create_all`` really emits, listeners included."""
    emitted: list[str] = []

    def record(statement: Any, *_: object, **__: object) -> None:
        emitted.append(statement if isinstance(statement, str) else str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine(URL, record)
    try:
        metadata.create_all(engine, checkfirst=False)
    except (AttributeError, NotImplementedError, TypeError, sqlalchemy.exc.SQLAlchemyError):
        # A listener wants a real connection: the tables alone, and the files of the modules that define them.
        emitted = [str(CreateTable(table).compile(dialect=engine.dialect)) for table in metadata.sorted_tables]
    return "\n".join([*emitted, *_listeners(metadata)])


def _listeners(metadata: MetaData) -> list[str]:
    """The sources of the DDL listeners written in Python, of the metadata and of each table."""
    events = ("before_create", "after_create")
    return sorted(
        of_module_source(listener)
        for target in (metadata, *metadata.sorted_tables)
        for event in events
        for listener in getattr(target.dispatch, event)
        if inspect.isroutine(listener) and not _of_sqlalchemy(listener)
    )


def _of_sqlalchemy(listener: Callable[..., object]) -> bool:
    return (getattr(listener, "__module__", None) or "").partition(".")[0] == "sqlalchemy"


def _schemas(all_metadata: Iterable[MetaData]) -> set[str]:
    schemas: set[str] = set()
    for metadata in all_metadata:
        schemas |= {table.schema for table in metadata.tables.values() if table.schema}
        schemas |= {metadata.schema} if metadata.schema else set()
    return schemas


def _create_extension(connection: sqlalchemy.Connection, extension: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote(extension)
    try:
        connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {quoted} CASCADE"))
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise missing_extension(extension) or _failed(f"CREATE EXTENSION {extension}", error) from error


def _call(load: Callable[..., object], engine: Engine, path: str) -> None:
    """Run *load*, in a thread of its own if it is asynchronous: this one may be running a loop."""
    wants_session = bool(inspect.signature(load).parameters)
    run: Callable[..., None] = _load_async if _is_async(load) else _load_sync
    try:
        run(load, engine, wants_session)
    except CrucibleError:
        raise
    except Exception as error:
        raise _failed(f"crucible_load = {path!r}", error) from error


def _is_async(load: Callable[..., object]) -> bool:
    # Of an object with __call__, the method says it.
    return inspect.iscoroutinefunction(load) or inspect.iscoroutinefunction(getattr(load, "__call__", None))  # noqa: B004


def _load_sync(load: Callable[..., Any], engine: Engine, wants_session: bool) -> None:
    from sqlalchemy.orm import Session

    if not wants_session:
        load()
        return
    with Session(engine) as session:
        load(session)
        session.commit()


def _load_async(load: Callable[..., Any], engine: Engine, wants_session: bool) -> None:
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def run() -> None:
        if not wants_session:
            await load()
            return
        async_engine = create_async_engine(engine.url, poolclass=NullPool)
        async with AsyncSession(async_engine) as session:
            await load(session)
            await session.commit()

    _in_thread(lambda: asyncio.run(run()))


def _in_thread(work: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            errors.append(error)

    thread = threading.Thread(target=guarded, name="crucible-load")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _failed(what: str, error: Exception) -> TemplateError:
    cause = getattr(error, "orig", None) or error
    return TemplateError(
        f"The template could not be built: {what} failed: {type(cause).__name__}: {cause}",
        why="PostgreSQL refused a statement, or the code that fills the template raised.",
        do="Correct it; nothing was kept, the next run builds the template anew.",
    )


def fingerprint_of(recipe: MetadataRecipe, facts: Sequence[tuple[str, str]]) -> str:
    """The fingerprint of what *recipe* makes on a server with these *facts* (owner, server version, …)."""
    return fingerprint(recipe.parts() | dict(facts))
