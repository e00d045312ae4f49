"""The requirements of a project, and their own requirements, as far as they are installed here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packaging import requirements as packaging
from packaging.utils import canonicalize_name

from ...project.requirements import Requirement
from .machine import Machine

# Also matches requirements that only Poetry understands ("sqlalchemy[asyncio] ^2.1").
NAMED = re.compile(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?")


def required(requirements: Iterable[Requirement], machine: Machine) -> set[str]:
    """Return the distributions that *requirements* bring, including those of extras."""
    waiting = [_named(one.text) for one in requirements]
    found: set[tuple[str, str]] = set()
    while waiting:
        name, extras = waiting.pop()
        for extra in {"", *extras} - {known for other, known in found if other == name}:
            found.add((name, extra))
            waiting += _of(machine, name, extra)
    return {name for name, _ in found}


def _named(text: str) -> tuple[str, set[str]]:
    match = NAMED.match(text)
    name, extras = match.groups("") if match else ("", "")
    return canonicalize_name(name), {canonicalize_name(extra.strip()) for extra in extras.split(",") if extra.strip()}


def _of(machine: Machine, name: str, extra: str) -> Iterator[tuple[str, set[str]]]:
    for one in map(packaging.Requirement, machine.requires.get(name, ())):
        if not one.marker or one.marker.evaluate({"extra": extra}):
            yield canonicalize_name(one.name), {canonicalize_name(word) for word in one.extras}
