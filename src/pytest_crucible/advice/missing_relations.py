"""Hints on objects that do not exist: tables of models that are not imported or configured, extensions, schemas.

A table is known to its base once its module is imported, and to the template if that was so when it was built. Only
modules that are loaded already are inspected; the project's other modules are read, not imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Enum, MetaData

from ..errors import locations
from ..errors.hints import Refusal, refusals
from ..settings import Settings
from ..settings.lookup import loaded
from .extensions import extension_of, how_to_have

if TYPE_CHECKING:
    from ..project.modules import Project

# By SQLSTATE: undefined table, undefined object (types, operator classes), invalid schema, undefined function.
STATES = ("42P01", "42704", "3F000", "42883")
WRITE = "Write the migration or the script that creates it."
ABSENT = re.compile(r'(?P<kind>relation|type|schema) "(?P<name>[^"]+)" does not exist')


class AbsentHints:
    """Hints on relations, types, schemas and functions that do not exist.

    Args:
        settings: What the user set.
        tables: The names of the tables that metadata had when the templates were built.
    """

    def __init__(self, settings: Settings, tables: Collection[str]) -> None:
        self._settings = settings
        self._tables = tables

    def explain(self, error: BaseException) -> Iterator[str]:
        """Yield the hints on *error*."""
        for refusal in refusals(error):
            if refusal.state in STATES:
                yield from self._of(refusal)

    def _of(self, refusal: Refusal) -> Iterator[str]:
        extension = extension_of(refusal.text)
        match = ABSENT.search(refusal.text)
        if extension is not None and extension not in self._settings.extensions:
            yield how_to_have(extension, self._settings)
        elif match and match["kind"] == "schema":
            yield self._base_with(match["name"]) or self._schema(match["name"])
        elif match and (hint := self._table(match["name"])):
            yield hint

    def _table(self, name: str) -> str | None:
        return self._configured(name) or self._base_with(name) or self._not_imported(name) or self._similar(name)

    # -- what is configured ------------------------------------------------------------------------------------------

    def _configured(self, name: str) -> str | None:
        """Return the hint on a table (or type) that a metadata of the configuration knows now."""
        for database, shape in self._settings.by_database().items():
            for path in () if shape.alembic or shape.schema else shape.metadata:
                metadata = _metadata(loaded(path))
                if metadata is None or not _has(metadata, name):
                    continue
                if database is not None and len(self._settings.by_database()) > 1:
                    return (
                        f"{path} has {name!r}, in the database {database!r}, and this engine leads to another one.\n"
                        f"Use an engine whose URL names the database {database!r}."
                    )
                if name in self._tables:
                    return (
                        f"The template has the table {name!r}: DDL has dropped or renamed it since, in this test or in"
                        " a wide fixture, or search_path does not include its schema."
                    )
                return self._late(name, path, metadata)
        if self._settings.alembic and name in self._known():
            return (
                f"The template is built by migrations ({self._settings.alembic}), and none of them creates {name!r},"
                " which is in the metadata.\nWrite one: alembic revision --autogenerate -m …"
            )
        if self._settings.schema and name in self._known():
            return (
                f"The template is made by crucible_schema ({', '.join(self._settings.schema)}), which does not create"
                f" {name!r}; the metadata has it.\n{WRITE}"
            )
        return None

    def _late(self, name: str, path: str, metadata: MetaData) -> str | None:
        """Return the hint on a table that the template lacks since its module was imported later; None for a type."""
        if name not in metadata.tables:
            return None
        module = _module_of(metadata, name)
        through = f"{module or 'package.module'}:{path.partition(':')[2]}"
        paths = ", ".join(f'"{known}"' for known in dict.fromkeys([*self._settings.metadata, path, through]))
        what = f"{module}, which defines it," if module else "the module that defines it"
        return (
            f"{path} knows the table {name!r} by now, but did not when the template was built: {what} was imported"
            f" later.\nImport it where {path} is defined or in the module that crucible_app names, or name it as well:"
            f" crucible_metadata = [{paths}]."
        )

    # -- what is loaded, and not configured --------------------------------------------------------------------------

    def _base_with(self, name: str) -> str | None:
        """Return the hint on an object that another base or MetaData of the project's loaded modules has."""
        if self._settings.alembic or self._settings.schema:
            return None
        configured = [_metadata(loaded(path)) for path in self._settings.metadata]
        for path, metadata in self._bases:
            if _has(metadata, name) and not any(metadata is known for known in configured):
                paths = ", ".join(f'"{known}"' for known in (*self._settings.metadata, path))
                return f"{path} has {name!r}, and crucible_metadata does not name it.\ncrucible_metadata = [{paths}]"
        return None

    @property
    def _bases(self) -> list[tuple[str, MetaData]]:
        """The MetaData, and the classes with one, that are variables of the project's loaded modules, bases first."""
        entries = []
        for module in self._modules():
            for name, value in list(vars(sys.modules[module]).items()):
                if (metadata := _metadata(value)) is not None:
                    entries.append((hasattr(value, "__table__"), f"{module}:{name}", metadata))
        return [(path, metadata) for _, path, metadata in sorted(entries, key=lambda entry: entry[:2])]

    def _modules(self) -> list[str]:
        """Return the project's own modules among the loaded ones."""
        return [
            name
            for name, module in list(sys.modules.items())
            if (file := getattr(module, "__file__", None))
            and (name.partition(".")[0] in self._settings.packages or not locations.is_library(file))
        ]

    # -- what is not loaded ------------------------------------------------------------------------------------------

    def _not_imported(self, name: str) -> str | None:
        """Return the hint on a table whose model is in a file of the project that nothing has imported."""
        table = re.escape(name.rpartition(".")[2])
        pattern = re.compile(rf"__tablename__\b[^\n=]*=\s*[\"']{table}[\"']|\bTable\(\s*[\"']{table}[\"']")
        for module in self._project.code:
            match = pattern.search(module.source) if module.name not in sys.modules else None
            if match:
                line = module.source.count("\n", 0, match.start()) + 1
                file = module.path.relative_to(self._settings.root)
                if self._settings.alembic or self._settings.schema:
                    return f"{file}, line {line}, defines the table {name!r}, which is not in the template.\n" + WRITE
                return (
                    f"{file}, line {line}, defines the table {name!r}, and nothing has imported {module.name}: a table"
                    " is known to its base once its module is imported.\nImport it where the base is taken from, or"
                    f' name it: crucible_metadata = ["{module.name}:Base"].'
                )
        return None

    @cached_property
    def _project(self) -> Project:
        from ..project.modules import read

        return read(self._settings.root)

    def _similar(self, name: str) -> str | None:
        close = [known for known in get_close_matches(name, self._known(), n=1) if known != name]
        return f"Did you mean {close[0]!r}? That is a table of the metadata." if close else None

    def _known(self) -> list[str]:
        return sorted({table for _, metadata in self._bases for table in metadata.tables})

    def _schema(self, name: str) -> str:
        if self._settings.alembic:
            return f"No migration creates the schema {name!r}.\nWrite op.execute('CREATE SCHEMA {name}') in one."
        if self._settings.schema:
            return f"No script of crucible_schema creates the schema {name!r}.\nWrite CREATE SCHEMA {name} in one."
        return (
            f"No table of crucible_metadata is in the schema {name!r}, so the template lacks it.\n"
            f'event.listen(Base.metadata, "before_create", DDL("CREATE SCHEMA IF NOT EXISTS {name}")) adds it.'
        )


def _metadata(value: object) -> MetaData | None:
    """Return the metadata that *value* is, or has as a declarative base."""
    if isinstance(value, MetaData):
        return value
    metadata = vars(value).get("metadata") or getattr(value, "metadata", None) if isinstance(value, type) else None
    return metadata if isinstance(metadata, MetaData) else None


def _has(metadata: MetaData, name: str) -> bool:
    """Return whether *metadata* has a table, a schema or an enumeration of this name."""
    tables = metadata.tables
    return name in tables or any(
        table.schema == name or any(isinstance(column.type, Enum) and column.type.name == name for column in table.c)
        for table in tables.values()
    )


def _module_of(metadata: MetaData, name: str) -> str | None:
    """Return the module whose class or variable is the table *name*."""
    table = metadata.tables[name]
    for module in list(sys.modules.values()):
        for value in list(getattr(module, "__dict__", {}).values()):
            if value is table:
                return module.__name__
            if isinstance(value, type) and value.__dict__.get("__table__") is table:
                return value.__module__
    return None
