"""Callables of ``crucible_schema``, which make the schema by any tool."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

from ...errors import CrucibleError, TemplateError, UsageError
from ...server.address import Address
from ...settings import Settings
from ...settings.lookup import lookup
from ..alembic.imported_modules import followed, importable_from
from ..failed import failed
from ..fingerprints import READS, declared, digest, files, innermost, of_environment, of_module_source
from ..load import in_thread, is_async

KNOWN = ("connection", "url")
# libpq's parameters of TLS that others know as well.
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")
EXAMPLE = """
    @pytest_crucible.reads("db/migrations/*.sql")
    def build(connection): ...   # a Connection of SQLAlchemy, which is committed; or build(url), with a string"""


class Builder:
    """A callable that makes the schema.

    Args:
        path: Its dotted path.
        settings: The settings.

    Raises:
        UsageError: If it is no callable, has parameters of other names, or does not declare what it reads.
    """

    def __init__(self, path: str, settings: Settings) -> None:
        self.path = path
        self._settings = settings
        self._option = settings.option_of(path)
        named = lookup(path, option=self._option, root=settings.root)
        if not callable(named):
            raise UsageError(
                f"{self._option}: {path} is {type(named).__name__}, not a callable.", do=f"Name a function:{EXAMPLE}"
            )
        self._function: Callable[..., Any] = named
        self._wants = self._parameters()
        self._patterns = self._declared()

    def parts(self) -> dict[str, str]:
        """Return what shapes its schema: its module, all that this imports of the project, and what it declares."""
        patterns = [pattern for pattern in self._patterns if not pattern.startswith("$")]
        read = {f"file {name}": content.hex() for name, content in files(self._settings.root, patterns).items()}
        imported = {f"module {name}": digest(path).hex() for name, path in self._imported().items()}
        return {f"callable {self.path}": of_module_source(self._function), **imported, **read,
                **of_environment(self._patterns), **self._versions()}  # fmt: skip

    def text(self) -> str:
        """Return the text of its module and of the files that it declares."""
        patterns = [pattern for pattern in self._patterns if not pattern.startswith("$")]
        names = [self._settings.root / name for name in files(self._settings.root, patterns)]
        module = getattr(sys.modules.get(innermost(self._function).__module__), "__file__", None)
        paths = [*([Path(module)] if module else []), *names]
        return "\n".join(path.read_text("utf-8", "replace") for path in paths)

    def run(self, engine: Engine) -> None:
        """Call it, with the database that *engine* leads to.

        Raises:
            TemplateError: If it raises an error.
        """
        call: Callable[[Engine], None] = self._call_async if is_async(self._function) else self._call
        try:
            call(engine)
        except CrucibleError:
            raise
        except subprocess.CalledProcessError as error:
            raise self._of_program(error) from error
        except Exception as error:
            raise failed(f"{self._option} = {self.path!r}", error) from error

    def _call(self, engine: Engine) -> None:
        with engine.connect() as connection:
            self._call_with({"connection": connection, "url": _url(connection.connection.driver_connection)})
            connection.commit()

    def _call_async(self, engine: Engine) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        async def run() -> None:
            async with create_async_engine(engine.url, poolclass=NullPool).connect() as connection:
                raw = await connection.get_raw_connection()
                await self._call_with({"connection": connection, "url": _url(raw.driver_connection)})
                await connection.commit()

        in_thread(lambda: asyncio.run(run()), "crucible-schema")

    def _call_with(self, values: Mapping[str, object]) -> Any:
        by_name = {name: values[name] for name, kind in self._wants.items() if kind is inspect.Parameter.KEYWORD_ONLY}
        return self._function(*(values[name] for name in self._wants if name not in by_name), **by_name)

    def _parameters(self) -> dict[str, Any]:
        """Return the names and kinds of its parameters, without those that have a default."""
        parameters = inspect.signature(self._function).parameters.values()
        wanted = {each.name: each.kind for each in parameters if each.default is each.empty and each.kind not in (
            each.VAR_POSITIONAL, each.VAR_KEYWORD)}  # fmt: skip
        unknown = [name for name in wanted if name not in KNOWN]
        if unknown or inspect.isgeneratorfunction(self._function) or inspect.isasyncgenfunction(self._function):
            what = f"wants {', '.join(map(repr, unknown))}" if unknown else "yields"
            raise UsageError(
                f"{self._option}: {self.path} {what}.",
                why="It is called once, with connection (of SQLAlchemy; an AsyncConnection if it is async), url (a"
                " string), both or neither; it is no fixture.",
                do=f"Write:{EXAMPLE}",
            )
        return wanted

    def _declared(self) -> tuple[str, ...]:
        if hasattr(self._function, READS) or hasattr(innermost(self._function), READS):
            return declared(self._function) or declared(innermost(self._function))
        raise UsageError(
            f"{self._option}: {self.path} does not declare the files that it reads.",
            why="The template is kept until something that shaped it changes. What a callable reads cannot be seen"
            " from outside, and a change would go unnoticed.",
            do=f"Declare them; @pytest_crucible.reads() says that it reads none:{EXAMPLE}",
        )

    def _imported(self) -> dict[str, Path]:
        """Return the project's modules that its module imports; unlike for data, the models count."""
        module = innermost(self._function).__module__
        own = [self.path.partition(":")[0], module]
        bases, result = importable_from(self._settings.root), dict[str, Path]()
        for name in dict.fromkeys(own):
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and self._settings.root in Path(file).resolve().parents:
                package = getattr(sys.modules[name], "__package__", None) or ""
                result |= {name: Path(file)} | followed([Path(file)], bases, package=package)
        return result

    def _versions(self) -> dict[str, str]:
        """Return the versions of the libraries that are variables of its module: a tool may change what it makes."""
        variables = vars(sys.modules.get(innermost(self._function).__module__, sys)).values()
        modules = {value.__name__: value for value in variables if inspect.ismodule(value)}
        versions = {name: getattr(module, "__version__", None) for name, module in modules.items()}
        return {f"version of {name}": text for name, text in versions.items() if isinstance(text, str)}

    def _of_program(self, error: subprocess.CalledProcessError) -> TemplateError:
        command = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd))
        output = [text.decode("utf-8", "replace") if isinstance(text, bytes) else text
                  for text in (error.stderr, error.stdout) if text]  # fmt: skip
        said = output[0].strip() if output else "its output was not captured"
        return TemplateError(
            f"The template could not be built: {self._option} = {self.path!r}: {command.split(' ')[0]} ended with exit"
            f" code {error.returncode}: {said}",
            why="The program that makes the schema failed.",
            do="Correct it; nothing was kept, and the next run builds the template anew.",
        )


def _url(connection: Any) -> str:
    """Return the URL of the database that psycopg's *connection* leads to, for libraries of any language."""
    info = connection.info
    known = info.get_parameters()
    if info.host.startswith("/"):
        tls: list[tuple[str, str]] = []
    elif info.pgconn.ssl_in_use:
        tls = [(name, known[name]) for name in TLS if name in known]
    else:
        tls = [("sslmode", "disable")]  # some libraries require TLS where the URL does not say
    return Address(info.host, info.port, info.user, info.dbname, info.password or None, tuple(tls)).url()
