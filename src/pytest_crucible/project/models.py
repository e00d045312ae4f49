"""The sources of a project's schema: declarative bases, registries, MetaData, SQLModel, and their models."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from .location import SourceLocation
from .modules import Module, Project
from .names import full, imported, origin, path_of, reached
from .syntax import assigned, constant, keyword, last, text

BASES = ("sqlalchemy.orm.DeclarativeBase", "sqlalchemy.orm.DeclarativeBaseNoMeta")
MAKERS = {
    "declarative_base": "base",
    "automap_base": "base",
    "generate_base": "base",
    "registry": "registry",
    "MetaData": "metadata",
}
LIBRARIES = ("sqlalchemy", "sqlmodel", "flask_sqlalchemy")
# advanced-alchemy, and where Litestar and it itself export its bases again.
ADVANCED = ("advanced_alchemy.", "litestar.plugins.sqlalchemy.", "litestar.contrib.sqlalchemy.")
SQLMODEL = ("sqlmodel.SQLModel", "sqlmodel.main.SQLModel")
# Packages whose classes a mapped class inherits without having its metadata from them.
WITHOUT_METADATA = {*sys.stdlib_module_names, *LIBRARIES, "pydantic", "fastapi_users_db_sqlalchemy"}
MAPPED = {"mapped_column", "Column", "relationship"}
NAME_OF_BASE = re.compile(r"(Base|Model)(?!.*Mixin)")

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
        aliases: The full names of other objects with the same `MetaData`.
    """

    place: SourceLocation
    kind: Kind
    models: tuple[Model, ...]

    aliases: tuple[str, ...] = ()

    def is_one_of(self, names: Collection[str]) -> bool:
        """Return whether one of *names*, full names, is this object or another name of its metadata."""
        mine = {self.place.path.replace(":", "."), *self.aliases}
        return not mine.isdisjoint(names) or (self.kind == "sqlmodel" and not set(SQLMODEL).isdisjoint(names))

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
        if module.is_test or module.is_aside or not module.mentions(self.place.name.partition(".")[0]):
            return None
        if module.name == self.place.module:
            return self.place.path
        wanted = self.place.path.replace(":", ".")
        for name, dotted in imported(module).items():
            if origin(project, dotted) == wanted or (self.kind == "sqlmodel" and dotted in SQLMODEL):
                return f"{module.name}:{name}"
        return None


def metadata(project: Project) -> list[Metadata]:
    """Return every base, registry, MetaData and foreign base of the project's code, with its models."""
    classes = {f"{module.name}.{node.name}": (module, node) for module, node in _classes(project)}
    found = list(_bases(project))
    same = _aliases(project, {place.path.replace(":", ".") for place, _ in found})
    bases = [
        Metadata(place, kind, tuple(_models(project, classes, {dotted, *others})), tuple(others))
        for place, kind in found
        if (dotted := place.path.replace(":", ".")) not in same
        for others in [[alias for alias, target in same.items() if target == dotted]]
    ]
    taken = {model.place.path for base in bases for model in base.models}
    return [*bases, *_foreign(project, classes, taken)]


def _aliases(project: Project, known: set[str]) -> dict[str, str]:
    """Return the names of metadata that a base or registry of *known* has as well, each with that one's name."""
    same: dict[str, str] = {}
    for module in project.code:
        for node in module.top() if module.mentions("metadata", "registry") else ():
            if isinstance(node, ast.ClassDef) and f"{module.name}.{node.name}" in known:
                inner = dict(filter(None, map(assigned, node.body)))
                for shared in filter(None, (inner.get("metadata"), inner.get("registry"))):
                    same[origin(project, full(module, shared))] = f"{module.name}.{node.name}"
            name, value = assigned(node) or ("", None)
            own = f"{module.name}.{name}"
            values: list[ast.expr | None] = [value]
            if isinstance(value, ast.Call):
                values = [keyword(value, "metadata"), keyword(value, "registry")]
                if isinstance(value.func, ast.Attribute) and value.func.attr == "generate_base":
                    values.append(value.func.value)
            for each in values:
                other = origin(project, full(module, each)).removesuffix(".metadata")
                if other in known and own != other:
                    is_base = own in known
                    same[other if is_base else own] = own if is_base else other
    return same


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


def _models(project: Project, classes: Classes, wanted: set[str]) -> Iterator[Model]:
    for dotted, (module, node) in classes.items():
        if not wanted.isdisjoint(_ancestors(project, classes, dotted)) and not _is_abstract(node):
            yield Model(SourceLocation(path_of(project, dotted), module.path, node.lineno))
    for module in project.code:
        for statement in module.top() if module.mentions("Table(") else ():
            name, value = assigned(statement) or ("", None)
            if isinstance(value, ast.Call) and _is_table(project, module, value, wanted):
                yield Model(SourceLocation(f"{module.name}:{name}", module.path, statement.lineno))


def _is_table(project: Project, module: Module, call: ast.Call, wanted: set[str]) -> bool:
    if not origin(project, full(module, call)).startswith("sqlalchemy.") or len(call.args) < 2:
        return False
    owner = origin(project, full(module, call.args[1]))
    return full(module, call).endswith(".Table") and not wanted.isdisjoint((owner, owner.removesuffix(".metadata")))


def _foreign(project: Project, classes: Classes, taken: set[str]) -> Iterator[Metadata]:
    """Yield the bases that a library defines; those of one library are taken to have one `MetaData`."""
    models: dict[str, list[Model]] = {}
    bases: dict[str, SourceLocation] = {}
    for dotted, (module, node) in classes.items():
        path = path_of(project, dotted)
        if path in taken or _is_abstract(node):
            continue
        base = _foreign_base(project, classes, dotted) or _imported_base(project, classes, dotted)
        if base is not None:
            library, place = base
            models.setdefault(library, []).append(Model(SourceLocation(path, module.path, node.lineno)))
            bases.setdefault(library, place)
    for library, place in bases.items():
        yield Metadata(place, "sqlmodel" if library == "sqlmodel" else "base", tuple(models[library]))


def _foreign_base(
    project: Project, classes: Classes, dotted: str, seen: frozenset[str] = frozenset(), *, is_table: bool = False
) -> tuple[str, SourceLocation] | None:
    """Return the library of a mapped class's base, and the base as the class's module names it."""
    if dotted not in classes or dotted in seen:
        return None
    module, node = classes[dotted]
    names = dict(filter(None, map(assigned, node.body)))
    is_table = is_table or "__tablename__" in names or any(word.arg == "table" for word in node.keywords)
    for base in node.bases:
        name = origin(project, full(module, base))
        if name in classes:
            above = _foreign_base(project, classes, name, seen | {dotted}, is_table=is_table)
            if above is not None:
                return above
        elif library := _library(name, is_table=is_table):
            head = name.partition(".")[0] == module.name.partition(".")[0]
            path = path_of(project, name) if head else f"{module.name}:{text(base)}"
            return library, SourceLocation(path, module.path, node.lineno)
    return None


def _imported_base(project: Project, classes: Classes, dotted: str) -> tuple[str, SourceLocation] | None:
    """Return the base that a table class imports from another project, such as a library of the same repository."""
    lines = [classes[name] for name in (dotted, *_ancestors(project, classes, dotted)) if name in classes]
    if not any(_is_mapped(node) for _, node in lines):
        return None
    found: list[tuple[str, SourceLocation]] = []
    for module, base in ((module, base) for module, node in lines for base in node.bases):
        name = origin(project, full(module, base))
        if name in classes or not name:
            continue
        if _is_inside(project, name):
            return None  # the project makes it, in a way that cannot be read
        library = name.partition(".")[0]
        if library not in WITHOUT_METADATA and "." in name:
            place = SourceLocation(f"{module.name}:{text(base)}", module.path, base.lineno)
            found.append((library, place))
    named = [one for one in found if NAME_OF_BASE.search(one[1].name)]
    return next(reversed(named or found), None)  # mixins stand before the base


def _is_inside(project: Project, name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:end]) in project.by_name for end in range(1, len(parts)))


def _is_mapped(node: ast.ClassDef) -> bool:
    values = dict(filter(None, map(assigned, node.body)))
    return "__tablename__" in values or any(last(value) in MAPPED for value in values.values())


def _library(base: str, *, is_table: bool) -> str | None:
    """Return a name for the metadata of a foreign base; None if the class is not mapped by it."""
    if base in SQLMODEL:
        return "sqlmodel" if is_table else None
    if base.startswith(ADVANCED) and base.endswith("Base"):
        return "advanced_alchemy"
    return None


def _is_abstract(node: ast.ClassDef) -> bool:
    return any(
        name == "__abstract__" and constant(value) is True for name, value in filter(None, map(assigned, node.body))
    )
