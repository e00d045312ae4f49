"""A row that can be inserted: values for the columns that a model cannot do without, read from its class.

Only what is certain counts. A model with a required column of another kind, a required foreign key, or a check
constraint gets no sample, and another model is taken.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...project import Module, Project
from ...project.imports import full, origin, split
from ...project.models import Metadata, Model
from ...project.syntax import assigned, constant, keyword, text

# What is written for a type, and what has to be imported for it.
VALUES = {
    "str": ('"example"', None),
    "String": ('"example"', None),
    "Text": ('"example"', None),
    "Unicode": ('"example"', None),
    "int": ("1", None),
    "Integer": ("1", None),
    "BigInteger": ("1", None),
    "SmallInteger": ("1", None),
    "float": ("1.5", None),
    "Float": ("1.5", None),
    "bool": ("True", None),
    "Boolean": ("True", None),
    "Decimal": ('Decimal("1.50")', "from decimal import Decimal"),
    "Numeric": ('Decimal("1.50")', "from decimal import Decimal"),
    "date": ("date(2025, 1, 31)", "from datetime import date"),
    "Date": ("date(2025, 1, 31)", "from datetime import date"),
    "UUID": ("UUID(int=1)", "from uuid import UUID"),
    "Uuid": ("UUID(int=1)", "from uuid import UUID"),
}
DEFAULTS = ("default", "default_factory", "insert_default", "server_default")
# What a class may inherit from without another column.
PLAIN = ("sqlalchemy.", "sqlmodel.", "typing.", "typing_extensions.", "abc.", "builtins.")
COLUMNS = {"mapped_column", "Column", "Field"}
GIVEN_BY_DATABASE = {"Identity", "Computed", "Sequence"}
UNCERTAIN = (
    "CheckConstraint",
    "MappedAsDataclass",
    "ExcludeConstraint",
    "__mapper_args__",
    "field_validator",
    "validates",
)


@dataclass(frozen=True)
class Sample:
    """A row.

    Attributes:
        model: Its model, or table.
        values: Each required column, and its value as one writes it.
        imports: Lines that the values need.
        unique: A column among them of which PostgreSQL refuses a second equal value.
    """

    model: Model
    values: dict[str, str]
    imports: tuple[str, ...]
    unique: str | None

    @property
    def name(self) -> str:
        """The model's own name."""
        return self.model.place.name

    @property
    def call(self) -> str:
        """What makes it: ``Product(name="example")``."""
        return f"{self.name}({self.arguments})"

    @property
    def arguments(self) -> str:
        """The values as keyword arguments."""
        return ", ".join(f"{name}={value}" for name, value in self.values.items())


def sample(project: Project, metadata: Iterable[Metadata]) -> Sample | None:
    """A sample of the first model that has one, preferably of one with a unique column."""
    found = [made for one in metadata for model in one.models if (made := _sample(project, model))]
    return next((made for made in found if made.unique), found[0] if found else None)


@dataclass(frozen=True)
class _Column:
    name: str
    annotation: ast.expr | None
    value: ast.expr | None
    module: Module


def _sample(project: Project, model: Model) -> Sample | None:
    columns = list(_columns(project, model))
    if not columns or any(column is None for column in columns):
        return None
    values: dict[str, str] = {}
    imports, unique = set(), None
    for column in filter(None, columns):
        if _is_optional(column):
            continue
        written = _value(column)
        if written is None:
            return None
        values[column.name], line = written
        imports |= {line} if line else set()
        if constant(_keyword(column, "unique")) is True:
            unique = column.name
    return Sample(model, values, tuple(sorted(imports)), unique) if values else None


def _columns(project: Project, model: Model) -> Iterator[_Column | None]:
    """The columns of a model; a None among them for what cannot be read."""
    module = project.by_name[model.place.module]
    for node in module.top():
        if isinstance(node, ast.ClassDef) and node.name == model.place.name:
            yield from _of_class(project, module, node)
        elif (found := assigned(node)) and found[0] == model.place.name and isinstance(found[1], ast.Call):
            yield from _of_table(module, found[1])


def _of_table(module: Module, call: ast.Call) -> Iterator[_Column | None]:
    written = text(call)
    if any(word in written for word in UNCERTAIN):
        yield None
    for argument in call.args[2:]:
        if isinstance(argument, ast.Call) and full(module, argument).endswith(".Column") and argument.args:
            yield _Column(str(constant(argument.args[0])), None, argument, module)


def _of_class(project: Project, module: Module, node: ast.ClassDef, depth: int = 6) -> Iterator[_Column | None]:
    written = text(node)
    if not depth or any(word in written for word in UNCERTAIN):
        yield None
        return
    for base in node.bases:
        dotted = origin(project, full(module, base))
        found = _defined(project, dotted)
        if isinstance(found, tuple):
            yield from _of_class(project, *found, depth - 1)
        elif not found and not dotted.startswith(PLAIN):
            yield None
    for statement in node.body:
        column = _of_statement(module, statement)
        if column is not None:
            yield _spelled_out(project, column)


def _defined(project: Project, dotted: str) -> tuple[Module, ast.ClassDef] | bool:
    """The class of this name in the project; whether it is made by a call there: ``Base = declarative_base()``."""
    owner, _, name = dotted.rpartition(".")
    for node in project.by_name[owner].top() if owner in project.by_name else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return project.by_name[owner], node
        if (found := assigned(node)) and found[0] == name:
            return text(found[1]).endswith(("declarative_base()", "generate_base()"))
    return False


def _of_statement(module: Module, node: ast.stmt) -> _Column | None:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        name, annotation, value = node.target.id, node.annotation, node.value
    elif found := assigned(node):
        name, annotation, value = found[0], None, found[1]
        if not _is_column(value):
            return None
    else:
        return None
    if name.startswith("_") or text(annotation).startswith(("ClassVar", "typing.ClassVar")):
        return None
    is_other = isinstance(value, ast.Call) and not _is_column(value)  # relationship(), association_proxy(), …
    return None if is_other else _Column(name, annotation, value, module)


def _spelled_out(project: Project, column: _Column) -> _Column:
    """``Mapped[intpk]``, with ``intpk = Annotated[int, mapped_column(primary_key=True)]`` somewhere, as it is meant."""
    node = column.annotation
    inner = node.slice if isinstance(node, ast.Subscript) and text(node.value).endswith("Mapped") else node
    owner, name = split(project, origin(project, full(column.module, inner)))
    for statement in owner.top() if owner and inner is not None else ():
        found = assigned(statement)
        if found and found[0] == name and isinstance(found[1], ast.Subscript) and isinstance(found[1].slice, ast.Tuple):
            kind, *more = found[1].slice.elts
            call = next((one for one in more if _is_column(one)), None)
            return _Column(column.name, kind, column.value or call, owner or column.module)
    return column


def _is_column(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call) and text(node.func).rpartition(".")[2] in COLUMNS


def _keyword(column: _Column, name: str) -> ast.expr | None:
    return keyword(column.value, name) if isinstance(column.value, ast.Call) else None


def _is_optional(column: _Column) -> bool:
    """Whether a row can do without a value of ours."""
    call = column.value
    kind = _kind(column)
    if call is not None and not isinstance(call, ast.Call):
        return True  # SQLModel: name: str = "a default"
    defaults = [name for name in DEFAULTS if _keyword(column, name) is not None]
    if defaults or any(text(word.func).endswith(tuple(GIVEN_BY_DATABASE)) for word in _calls(column)):
        return True
    is_key = constant(_keyword(column, "primary_key")) is True
    if is_key and kind in ("int", "Integer", "BigInteger", "SmallInteger"):
        return constant(_keyword(column, "autoincrement")) is not False and not _is_foreign(column)
    nullable = constant(_keyword(column, "nullable"))
    if nullable is None:
        nullable = not is_key if column.annotation is None else _allows_none(column.annotation)
    return bool(nullable)


def _calls(column: _Column) -> list[ast.Call]:
    arguments = column.value.args if isinstance(column.value, ast.Call) else []
    return [argument for argument in arguments if isinstance(argument, ast.Call)]


def _is_foreign(column: _Column) -> bool:
    return _keyword(column, "foreign_key") is not None or any(
        text(call.func).endswith("ForeignKey") for call in _calls(column)
    )


def _allows_none(annotation: ast.expr) -> bool:
    return any(
        (isinstance(node, ast.Constant) and node.value is None)
        or (isinstance(node, ast.Name | ast.Attribute) and text(node).endswith("Optional"))
        for node in ast.walk(annotation)
    )


def _kind(column: _Column) -> str:
    """The last part of the name of its type, Python's or SQLAlchemy's; empty for what is not plain."""
    node = column.annotation
    if node is None:
        arguments = column.value.args if isinstance(column.value, ast.Call) else []
        named = arguments[1:] if arguments and isinstance(constant(arguments[0]), str) else arguments
        return full(column.module, named[0]).rpartition(".")[2] if named else ""
    if isinstance(node, ast.Subscript) and text(node.value).rpartition(".")[2] == "Mapped":
        node = node.slice
    return full(column.module, node).rpartition(".")[2] if isinstance(node, ast.Name | ast.Attribute) else ""


def _value(column: _Column) -> tuple[str, str | None] | None:
    if _is_foreign(column):
        return None
    kind = _kind(column)
    if kind in ("datetime", "DateTime"):
        return _moment(column)
    written = VALUES.get(kind)
    lengths = [int(str(length)) for length in _lengths(column)]
    if written and written[0] == '"example"' and lengths and min(lengths) < len("example"):
        return f'"{"example"[: min(lengths)]}"', None
    return written


def _lengths(column: _Column) -> Iterator[object]:
    for call in _calls(column):
        yield from (value for argument in call.args if isinstance(value := constant(argument), int))
    maximum = constant(_keyword(column, "max_length"))
    if isinstance(maximum, int):
        yield maximum


def _moment(column: _Column) -> tuple[str, str]:
    """A fixed moment, with a time zone where the column has one."""
    if any(constant(keyword(call, "timezone")) is True for call in _calls(column)):
        return "datetime(2025, 1, 31, 12, tzinfo=timezone.utc)", "from datetime import datetime, timezone"
    return "datetime(2025, 1, 31, 12)", "from datetime import datetime"
