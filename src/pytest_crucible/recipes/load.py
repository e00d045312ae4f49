"""``crucible_load``: the user's callable that fills a template."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from ..errors import CrucibleError, UsageError
from ..settings import Settings
from ..settings.lookup import lookup
from .alembic.imported_modules import followed, importable_from
from .failed import failed
from .fingerprints import declared, digest, files, fingerprint, innermost, of_environment, of_module_source

T = TypeVar("T")
# The text that only a module with models contains, in any style.
MODELS = (
    rb"__tablename__|\b(?:mapped_column|Column|Table|MetaData|DeclarativeBase|declarative_base)\(|\(DeclarativeBase"
    rb"|\btable\s*=\s*True"
)


def loader(settings: Settings) -> Callable[..., object] | None:
    """Return the callable that ``crucible_load`` names, or None if it is not set.

    Raises:
        UsageError: If the object is not callable.
    """
    named = lookup(settings.load, option="crucible_load", root=settings.root) if settings.load else None
    if named is not None and not callable(named):
        raise UsageError(
            f"crucible_load: {settings.load} is {type(named).__name__}, not a callable.",
            do="Name a function: it is called without arguments, or with one session.",
        )
    return named


def parts(load: Callable[..., object], settings: Settings) -> dict[str, str]:
    """Return the parts that shape the data of *load*: its module, that module's imports, and its declarations.

    Only imports from the project count. Modules that define models are left out, with all their imports: a model counts
    by its DDL. So are the modules of the application and of the metadata, which import everything.
    """
    declarations = declared(load)
    patterns = [pattern for pattern in declarations if not pattern.startswith("$")]
    read = {f"file {name}": content.hex() for name, content in files(settings.root, patterns).items()}
    imported = {f"module {name}": digest(path).hex() for name, path in _imported(load, settings).items()}
    # The name counts: two of one module may be one function with different arguments, bound or enclosed.
    source = fingerprint({"name": str(settings.load), "source": of_module_source(load)})
    return {"load": source, **imported, **read, **of_environment(declarations)}


def _imported(load: Callable[..., object], settings: Settings) -> dict[str, Path]:
    paths = [path for path in (settings.app, *settings.metadata) if path]
    schema = [path.partition(":")[0] for path in paths]

    def covered(name: str, path: Path) -> bool:
        return any(f"{module}.".startswith(f"{name}.") for module in schema) or bool(
            re.search(MODELS, path.read_bytes())
        )

    bases = importable_from(settings.root)
    modules: dict[str, Path] = {}
    # The module that crucible_load names may only wrap a function of another one.
    for module in dict.fromkeys([str(settings.load).partition(":")[0], innermost(load).__module__]):
        file = getattr(sys.modules.get(module), "__file__", None)
        if file and settings.root in Path(file).resolve().parents:
            package = getattr(sys.modules[module], "__package__", None) or ""
            modules |= {module: Path(file)} | followed([Path(file)], bases, package=package, covered=covered)
    return modules


def call(load: Callable[..., object], engine: Engine, path: str) -> None:
    """Run *load*, in a thread of its own if it is asynchronous: the caller's may be running a loop.

    Raises:
        TemplateError: If *load* raises an error.
    """
    wants_session = bool(inspect.signature(load).parameters)
    run: Callable[..., None] = _load_async if is_async(load) else _load_sync
    try:
        run(load, engine, wants_session)
    except CrucibleError:
        raise
    except Exception as error:
        raise failed(f"crucible_load = {path!r}", error) from error


def in_thread(work: Callable[[], T], name: str) -> T:
    """Return the result of *work*, run in a thread of its own: the caller's may run an event loop.

    The thread has the caller's context, as with `asyncio.to_thread`: its engines have the caller's target.
    """
    with ThreadPoolExecutor(1, thread_name_prefix=name) as pool:
        return pool.submit(contextvars.copy_context().run, work).result()


def is_async(load: Callable[..., object]) -> bool:
    """Return whether a call of *load* returns an awaitable."""
    # An object with __call__ is asynchronous if that method is.
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

    in_thread(lambda: asyncio.run(run()), "crucible-load")
