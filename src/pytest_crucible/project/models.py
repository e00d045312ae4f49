"""The sources of a project's schema: declarative bases, registries, MetaData, SQLModel, and their models."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .location import SourceLocation
from .modules import Module, Project
from .names import full, imported, origin, path_of, reached
from .syntax import assigned, constant

BASES = ("sqlalchemy.orm.DeclarativeBase", "sqlalchemy.orm.DeclarativeBaseNoMeta")
MAKERS = {
    "declarative_base": "base",
    "automap_base": "base",
    "generate_base": "base",
    "registry": "registry",
    "MetaData": "metadata",
}
LIBRARIES = ("sqlalchemy", "sqlmodel", "flask_sqlalchemy")
SQLMODEL = ("sqlmodel.SQLModel", "sqlmodel.main.SQLModel")

Kind = Literal["base", "registry", "metadata", "sqlmodel"]


@dataclass(frozen=True)
class Model:
    """A mapped class, or a ``Table``.

    Attributes:
        place: Its dotted path, file and line.
    """

    place: SourceLocation


@dataclass(frozen=True)
class Metadata:
    """An object that ``crucible_metadata`` can name, with its models.

    Attributes:
        place: Its definition; for SQLModel, the first module that has it and holds a table.
        kind: The kind of object.
        models: The models that are mapped on it.
    """

    place: SourceLocation
    kind: Kind
    models: tuple[Model, ...]

    @property
    def modules(self) -> list[str]:
        """The modules that define its tables: a table is missing unless its module is imported."""
        return list(dict.fromkeys(model.place.module for model in self.models))

    def paths(self, project: Project, *imported_first: str) -> list[str]:
        """Return the paths that ``crucible_metadata`` must list so that all models are imported.

        Args:
            project: The project that was read.
            imported_first: Modules that are imported in any case: the application's.
        """
        carriers = {name: path for name in project.by_name if (path := self._in(project, project.by_name[name]))}
        whole = [name for name in carriers if set(self.modules) <= reached(project, name)]
        enough = (
            [self.place.module] if set(self.modules) <= reached(project, *imported_first, self.place.module) else []
        )
        # Prefer the package that re-exports everything to a module inside it or the application.
        best = min(
            [*whole, *enough],
            key=lambda name: (name in imported_first, name.count("."), name not in whole, name),
            default=None,
        )
        if best is not None:
            return [carriers.get(best, self.place.path)]
        return list(self._together(project, carriers)) or [self.place.path]

    def _together(self, project: Project, carriers: dict[str, str]) -> Iterator[str]:
        """Yield the fewest modules that have the base's name and together import every model."""
        missing = set(self.modules)
        while missing:
            covers = {name: missing & reached(project, name) for name in carriers}
            best = max(covers, key=lambda name: (len(covers[name]), -len(name)), default="")
            if not covers.get(best):
                return
            yield carriers[best]
            missing -= covers[best]

    def _in(self, project: Project, module: Module) -> str | None:
        if module.is_test:
            return None
        if module.name == self.place.module:
            return self.place.path
        wanted = self.place.path.replace(":", ".")
        for name, dotted in imported(module).items():
            if origin(project, dotted) == wanted or (self.kind == "sqlmodel" and dotted in SQLMODEL):
                return f"{module.name}:{name}"
        return None


def metadata(project: Project) -> list[Metadata]:
    """Return every base, registry, MetaData and SQLModel of the project's code, with its models."""
    classes = {f"{module.name}.{node.name}": (module, node) for module, node in _classes(project)}
    bases = [
        Metadata(place, kind, tuple(_models(project, classes, place.path.replace(":", "."))))
        for place, kind in _bases(project)
    ]
    return [*bases, *_sqlmodel(project, classes)]


def _bases(project: Project) -> Iterator[tuple[SourceLocation, Kind]]:
    for module in project.code:
        for node in module.top():
            if isinstance(node, ast.ClassDef):
                if any(origin(project, full(module, base)) in BASES for base in node.bases):
                    yield SourceLocation(f"{module.name}:{node.name}", module.path, node.lineno), "base"
                continue
            name, value = assigned(node) or ("", None)
            if isinstance(value, ast.Call) and (kind := _made(project, module, value)):
                yield SourceLocation(f"{module.name}:{name}", module.path, node.lineno), kind


def _made(project: Project, module: Module, call: ast.Call) -> Kind | None:
    called = origin(project, full(module, call))
    kind = MAKERS.get(called.rpartition(".")[2])
    if kind is None or (called.partition(".")[0] not in LIBRARIES and not called.endswith(".generate_base")):
        return None
    return kind  # type: ignore[return-value] # the table's values are the kinds


def _classes(project: Project) -> Iterator[tuple[Module, ast.ClassDef]]:
    for module in project.code:
        for node in module.top():
            if isinstance(node, ast.ClassDef):
                yield module, node


Classes = dict[str, tuple[Module, ast.ClassDef]]


def _ancestors(project: Project, classes: Classes, dotted: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Return the full names of the classes that a class inherits from, and of the registries that decorate it."""
    if dotted not in classes or dotted in seen:
        return set()
    module, node = classes[dotted]
    decorators = (
        decorator.func.value
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)
        else decorator.value
        if isinstance(decorator, ast.Attribute)
        else None
        for decorator in node.decorator_list
    )
    direct = {origin(project, full(module, base)) for base in (*node.bases, *decorators) if base is not None}
    return direct.union(*(_ancestors(project, classes, base, seen | {dotted}) for base in direct))


def _models(project: Project, classes: Classes, wanted: str) -> Iterator[Model]:
    for dotted, (module, node) in classes.items():
        if wanted in _ancestors(project, classes, dotted) and not _is_abstract(node):
            yield Model(SourceLocation(path_of(project, dotted), module.path, node.lineno))
    for module in project.code:
        for statement in module.top():
            name, value = assigned(statement) or ("", None)
            if isinstance(value, ast.Call) and _is_table(project, module, value, wanted):
                yield Model(SourceLocation(f"{module.name}:{name}", module.path, statement.lineno))


def _is_table(project: Project, module: Module, call: ast.Call, wanted: str) -> bool:
    if not origin(project, full(module, call)).startswith("sqlalchemy.") or len(call.args) < 2:
        return False
    owner = origin(project, full(module, call.args[1]))
    return full(module, call).endswith(".Table") and owner in (wanted, f"{wanted}.metadata")


def _sqlmodel(project: Project, classes: Classes) -> Iterator[Metadata]:
    models = []
    for dotted, (module, node) in classes.items():
        is_table = any(argument.arg == "table" and constant(argument.value) is True for argument in node.keywords)
        if is_table and _ancestors(project, classes, dotted).intersection(SQLMODEL):
            models.append(Model(SourceLocation(path_of(project, dotted), module.path, node.lineno)))
    for model in models[:1]:
        module = project.by_name[model.place.module]
        name = next((name for name, dotted in imported(module).items() if dotted in SQLMODEL), None)
        path = f"{module.name}:{name}" if name else "sqlmodel:SQLModel"
        yield Metadata(SourceLocation(path, module.path, model.place.line), "sqlmodel", tuple(models))


def _is_abstract(node: ast.ClassDef) -> bool:
    return any(
        name == "__abstract__" and constant(value) is True for name, value in filter(None, map(assigned, node.body))
    )
