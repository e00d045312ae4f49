"""Checks of fixtures and hooks that prepare a database or a schema, which Crucible does once in a template."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ...errors.counting import counted
from ...project.fixtures import Fixture, without_schema
from ...project.hooks import Hook, hooks, methods
from ...project.names import full
from ...project.requesters import requesters
from ...project.syntax import calls, keyword, last
from ..case import Case
from ..findings import Finding

SCHEMA = {"create_all", "drop_all", "migrates", "downgrades"}
MIGRATES = {"migrates", "downgrades"}
DROPS = {"drop_all", "downgrades"}
DATABASES = {"create_database", "drop_database"}
RAW = ("psycopg.", "psycopg2.", "asyncpg.")
OTHERS = ("sqlite", "mysql", "duckdb")
# Milliseconds for a table that is dropped and created, and for a revision up and down (docs/benchmarks.md).
PER_TABLE, PER_REVISION = 6.5, 75

Preparation = Fixture | Hook


def _preparations(case: Case) -> Iterator[Preparation]:
    """Yield the fixtures and hooks; not those of modules that name another dialect than PostgreSQL."""
    urls = [engine.known_url or "" for engine in case.finds.engines]
    is_other = any(url.startswith(OTHERS) for url in urls) and not any(url.startswith("postgres") for url in urls)
    if not is_other or case.settings.on:
        found: list[Preparation] = [*case.fixtures, *hooks(case.project), *methods(case.project)]
        for one in found:
            if not one.module.mentions(*OTHERS):
                yield one


def _word(one: Preparation) -> str:
    if isinstance(one, Hook):
        return f"The {'method' if one.is_method else 'hook'} {one.name}"
    return f"The fixture {one.name}"


def creates_database(case: Case) -> Iterator[Finding]:
    """Yield each fixture and hook that creates or drops a database."""
    on, owned = case.settings.on, "://" not in case.settings.server
    for one in _preparations(case):
        if "create_database" in one.traits and _is_of_sql(one):
            refused = on and owned and not _called(one, *RAW)
            yield Finding(
                f"{_word(one)} creates or drops a database.",
                "Under Crucible the statement goes to the worker database, as a role that may not create databases: "
                "“permission denied to create database”."
                if refused
                else "Each run waits for it, each worker of pytest-xdist needs another name, and a killed run leaves "
                "the database.",
                "Delete it: each worker has a database of its own, cloned from a template, and every SQLAlchemy engine "
                "leads there."
                if on
                else "With Crucible: delete it. Each worker has a database of its own, cloned from a template.",
                case.where(one.module),
                one.node.lineno,
                severity="error" if refused else None,
            )


def _is_of_sql(one: Preparation) -> bool:
    """Return whether the statement or SQLAlchemy-Utils creates it, and no other function of such a name."""
    named = [call for call in calls(one.node) if last(call) in DATABASES]
    return not named or all(full(one.module, call).startswith("sqlalchemy_utils") for call in named)


def _called(one: Preparation, *beginnings: str) -> bool:
    return any(full(one.module, call).startswith(beginnings) for call in calls(one.node))


def schema_per_test(case: Case) -> Iterator[Finding]:
    """Yield each fixture and hook that makes the schema anew for each test."""
    for one in _preparations(case) if case.finds.metadata or case.finds.migrations else ():
        if _is_per_test(one) and one.traits & SCHEMA and _is_whole_schema(case, one):
            by_all = isinstance(one, Hook) or one.autouse
            yield Finding(
                f"{_word(one)} {_does(one)} for each test{'' if by_all else ' that requests it'}.",
                _cost(case, one),
                _do(case, one),
                case.where(one.module),
                one.node.lineno,
                severity="note" if case.settings.on and _finds_it_there(case, one) else None,
            )


def _do(case: Case, one: Preparation) -> str:
    delete = "delete it"
    if isinstance(one, Fixture) and one.gives:
        delete = one.without_schema
    elif isinstance(one, Hook) and one.is_method:
        delete = without_schema(one.traits)
    if case.settings.on:
        return f"{delete.capitalize()}: the template contains the schema, and Crucible resets the rows after each test."
    return (
        f"Make the schema once, in a session-scoped fixture, and roll each test back. With Crucible: {delete}; "
        "a template contains the schema, and resetting the rows after a test takes about 2 ms."
    )


def _is_per_test(one: Preparation) -> bool:
    return one.is_per_test if isinstance(one, Hook) else one.scope == "function"


def _is_whole_schema(case: Case, one: Preparation) -> bool:
    """Return whether all tables are made; some tables, or a fixture of tests of migrations, are another matter."""
    if any(keyword(call, "tables") is not None for call in calls(one.node)):
        return False
    if one.traits & MIGRATES and isinstance(one, Fixture) and not one.autouse:
        modules = [module.path.name for module, _ in requesters(case.project, case.fixtures, one)]
        return any("migrat" not in name and "alembic" not in name for name in modules)
    return bool(one.traits & MIGRATES) or any(_is_of_metadata(node) for node in ast.walk(one.node))


def _is_of_metadata(node: ast.AST) -> bool:
    """Return whether *node* is ``Base.metadata.create_all`` or ``db.create_all`` of Flask-SQLAlchemy."""
    if not isinstance(node, ast.Attribute) or node.attr not in SCHEMA:
        return False
    return last(node.value) in ("metadata", "db", "meta") or last(node.value).lower().endswith("metadata")


def _does(one: Preparation) -> str:
    if "downgrades" in one.traits:
        return "runs the migrations up and down" if "migrates" in one.traits else "runs the migrations down"
    if "migrates" in one.traits:
        return "runs the migrations"
    if "drop_all" in one.traits:
        return "creates and drops all tables" if "create_all" in one.traits else "drops all tables"
    return "creates all tables"


def _finds_it_there(case: Case, one: Preparation) -> bool:
    """Return whether there is nothing left to create, since the template contains it."""
    return not one.traits & DROPS and ("migrates" not in one.traits or bool(case.settings.alembic))


def _cost(case: Case, one: Preparation) -> str:
    """Return the time for each test, from the number of tables or of revisions."""
    if case.settings.on and _finds_it_there(case, one):
        return "The template contains them already: each test waits until that has been looked up, and nothing is made."
    if one.traits & MIGRATES:
        count = max((len(environment.versions) for environment in case.finds.migrations), default=0)
        text, milliseconds = counted(count, "revision"), float(count * PER_REVISION)
    else:
        count = sum(len(metadata.models) for metadata in case.finds.metadata)
        text, milliseconds = counted(count, "table"), count * PER_TABLE
    after = " Under reset isolation a fresh clone follows each of these tests, which takes 0.04 seconds more."
    clone = after if case.settings.on and ("migrates" not in one.traits or one.traits & DROPS) else ""
    if not count:
        return f"DDL is the slowest way to an empty database: for 40 tables it takes 0.26 seconds for each test.{clone}"
    return f"With {text} that takes about {max(milliseconds / 1000, 0.01):.2f} seconds for each test.{clone}"
