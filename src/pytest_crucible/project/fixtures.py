"""The fixtures that a project's tests define, with the traits of each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from .location import SourceLocation
from .modules import Module, Project, top
from .names import full, imported
from .syntax import Function, calls, constant, is_nothing, keyword, own, text

# The traits of a fixture, by the last part of the full name of a function that its body calls.
CALLED = {
    "create_engine": "engine",
    "create_async_engine": "engine",
    "create_all": "create_all",
    "drop_all": "drop_all",
    "create_database": "create_database",
    "drop_database": "create_database",
    "begin_nested": "savepoint",
    "rollback": "rollback",
    "begin": "begin",
    "Session": "session",
    "AsyncSession": "session",
    "sessionmaker": "session",
    "async_sessionmaker": "session",
    "AsyncClient": "async client",
    "TestClient": "test client",
}
NAMED = {
    "create_all": "create_all",  # passed to run_sync without a call
    "drop_all": "drop_all",
    "sorted_tables": "cleans",
    "dependency_overrides": "overrides",
    "__async_session__": "factories",
    "__sync_session__": "factories",
}


STATEMENTS = {
    "create database": "create_database",
    "drop database": "create_database",
    "drop schema public": "drop_all",
    "drop schema if exists public": "drop_all",
    "truncate": "cleans",
}


@dataclass(frozen=True)
class Fixture:
    """A fixture of a conftest, of a module of fixtures, or of a test module.

    Attributes:
        name: The name by which tests request it.
        place: The function, as a dotted path, with the line of its first decorator.
        module: The module that defines it.
        scope: Its ``scope=``; ``"function"`` by default, ``"?"`` if it is no literal.
        loop_scope: pytest-asyncio's ``loop_scope=``, if set.
        autouse: Whether every test gets it.
        arguments: The fixtures that it requests.
        decorator: The full name of its decorator: ``"pytest.fixture"``, ``"pytest_asyncio.fixture"``.
        traits: The operations in its body, of: ``engine``, ``container``, ``create_all``, ``begin``, ``rollback``,
            ``savepoint`` (a nested transaction or a ``join_transaction_mode``), ``session``, ``overrides``,
            ``async client``, ``test client``, ``factories``, ``async``, ``drop_all``, ``create_database`` (or drop),
            ``migrates`` (Alembic's upgrade), ``downgrades``, ``cleans`` (TRUNCATE, or a loop over all tables).
        node: The function.
    """

    name: str
    place: SourceLocation
    module: Module
    scope: str
    loop_scope: str | None
    autouse: bool
    arguments: tuple[str, ...]
    decorator: str
    traits: frozenset[str]
    node: Function = field(repr=False, compare=False)

    @property
    def lines(self) -> tuple[int, int]:
        """The numbers of its first line, decorators included, and its last."""
        return self.place.line, self.node.end_lineno or self.node.lineno

    @property
    def gives(self) -> str:
        """The statement that gives those who request it a value, ``"yield"`` or ``"return"``; empty if none does."""
        for node in own(self.node):
            if isinstance(node, ast.Yield | ast.Return) and not is_nothing(node.value):
                return type(node).__name__.lower()
        return ""

    @property
    def without_schema(self) -> str:
        """The advice for a fixture that makes or drops the tables, and gives a value besides."""
        return f"{without_schema(self.traits)}, and keep the {self.gives}"


def fixtures(project: Project) -> list[Fixture]:
    """Return every fixture that the tests define, at module level or in a class."""
    return [
        fixture
        for module in project.modules
        if module.mentions("fixture") and (module.is_test or "pytest" in imported(module))
        for node in _functions(module.tree)
        if (fixture := _fixture(module, node))
    ]


def _functions(tree: ast.Module | ast.ClassDef) -> Iterator[Function]:
    for node in top(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node)


def _fixture(module: Module, node: Function) -> Fixture | None:
    for decorator in node.decorator_list:
        called = full(module, decorator)
        if called in ("pytest.fixture", "pytest_asyncio.fixture", "pytest_asyncio.plugin.fixture"):
            call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
            return _made(module, node, call, called)
    return None


def _made(module: Module, node: Function, call: ast.Call, decorator: str) -> Fixture:
    scope, loop_scope = keyword(call, "scope") or (call.args[0] if call.args else None), keyword(call, "loop_scope")
    return Fixture(
        name=str(constant(keyword(call, "name")) or node.name),
        place=SourceLocation(
            f"{module.name}:{node.name}", module.path, min(line.lineno for line in (node, *node.decorator_list))
        ),
        module=module,
        scope="function" if scope is None else str(constant(scope) or "?"),
        loop_scope=None if loop_scope is None else str(constant(loop_scope) or "?"),
        autouse=constant(keyword(call, "autouse")) is True,
        arguments=tuple(
            argument.arg for argument in (*node.args.args, *node.args.kwonlyargs) if argument.arg != "self"
        ),
        decorator=decorator,
        traits=frozenset(traits(module, node)),
        node=node,
    )


def without_schema(found: AbstractSet[str]) -> str:
    """Return the advice for a function with the traits *found*, which does more than to make or drop the tables."""
    named = {"create_all": "create", "drop_all": "drop", "migrates": "migrate", "downgrades": "downgrade"}
    verbs = " and ".join(verb for trait, verb in named.items() if trait in found)
    return f"delete the lines that {verbs} the tables"


def traits(module: Module, node: Function) -> Iterator[str]:
    """Yield the traits of a function, as `Fixture` has them."""
    if isinstance(node, ast.AsyncFunctionDef):
        yield "async"
    for call in calls(node):
        name = full(module, call) or text(call.func)
        if trait := CALLED.get(name.rpartition(".")[2]):
            yield trait
        if name.startswith("testcontainers.") or name.endswith("PostgresContainer"):
            yield "container"
        if keyword(call, "join_transaction_mode") is not None:
            yield "savepoint"
        if name == "alembic.command.upgrade" or _runs_alembic(call, "upgrade"):
            yield "migrates"
        if name == "alembic.command.downgrade" or _runs_alembic(call, "downgrade"):
            yield "downgrades"
    yield from _named(node)


def _named(node: Function) -> Iterator[str]:
    first = node.body[0]
    docstring = first.value if isinstance(first, ast.Expr) else None
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute) and child.attr in NAMED:
            yield NAMED[child.attr]
        elif isinstance(child, ast.Constant) and isinstance(child.value, str) and child is not docstring:
            lowered = child.value.lower()
            yield from (trait for words, trait in STATEMENTS.items() if lowered.lstrip().startswith(f"{words} "))


def _runs_alembic(call: ast.Call, command: str) -> bool:
    """Return whether a call runs a command of Alembic, ``alembic upgrade``, in a process of its own."""
    words = [str(constant(node)) for node in ast.walk(call) if isinstance(node, ast.Constant)]
    return {"alembic", command} <= set(words) or any(word.startswith(f"alembic {command}") for word in words)
