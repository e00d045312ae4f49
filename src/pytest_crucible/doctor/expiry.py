"""``expire_on_commit`` of the tests' sessions, against the application's."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..project.syntax import constant, keyword, last
from ..project.tree import Module
from .case import Case
from .findings import Finding
from .makers import made_in


def expire_on_commit(case: Case) -> Iterator[Finding]:
    """Tests whose objects stay loaded after a commit, where the application's do not."""
    theirs = {_expires(call) for module in case.project.code for call in made_in(case.project, module)}
    if len(theirs) != 1 or None in theirs:
        return
    (production,) = theirs
    for module in case.project.tests:
        for call in made_in(case.project, module):
            here = _expires(call)
            if here is not None and here is not production:
                yield _differs(case, module, call, production is True)


def _expires(call: ast.Call) -> bool | None:
    """What a session does, or None where it cannot be told."""
    word = keyword(call, "expire_on_commit")
    if word is None:
        return None if any(given.arg is None for given in call.keywords) else True
    value = constant(word)
    return value if isinstance(value, bool) else None


def _differs(case: Case, module: Module, call: ast.Call, production: bool) -> Finding:
    return Finding(
        f"{last(call)} has expire_on_commit={not production}; the application's sessions have {production}.",
        "After a commit its objects stay loaded in tests and expire in production, where the next attribute raises "
        "MissingGreenlet (async) or costs a query."
        if production
        else "After a commit its objects expire in tests and stay loaded in production: tests fail that need not.",
        f"Write expire_on_commit={production}, or take the application's own sessionmaker.",
        case.where(module),
        call.lineno,
        severity="warning" if production else "note",
    )
