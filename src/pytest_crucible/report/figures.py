"""What one process has to say at the end of a run. It travels from a worker to the controller as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

WORST = 3
# Reasons of fresh clones that are listed, and tests that are named for each.
REASONS = 5
TESTS = 3


@dataclass(frozen=True, order=True)
class Repetition:
    """A statement that one test executed several times from one place.

    Attributes:
        times: How often.
        what: The statement and the place.
        test: The test's id.
    """

    times: int
    what: str
    test: str


@dataclass
class Figures:
    """The figures of one process, or of several.

    Attributes:
        notes: What is worth knowing, such as a role that joined the schema's owner.
        built: How many templates were built.
        clones: Why only a fresh clone could restore a database, and after which tests; "" stands for a wide fixture.
        logs: How many tests asked for a query log.
        statements: How many statements they executed.
        repeated: The worst repetitions among them.
        others: The engines that do not speak PostgreSQL, each with whether a test used it.
        postgresql: Whether anything has used PostgreSQL.
    """

    notes: list[str] = field(default_factory=list)
    built: int = 0
    clones: dict[str, list[str]] = field(default_factory=dict)
    logs: int = 0
    statements: int = 0
    repeated: list[Repetition] = field(default_factory=list)
    others: dict[str, bool] = field(default_factory=dict)
    postgresql: bool = False

    def add_log(self, statements: int, repeated: Iterable[Repetition]) -> None:
        """Add what one test executed."""
        self.logs += 1
        self.statements += statements
        self.repeated = _worst([*self.repeated, *repeated])

    def add_clone(self, reason: str, test: str) -> None:
        """Add a fresh clone that *test* has cost."""
        self.clones.setdefault(reason, []).append(test)

    def plain(self) -> dict[str, Any]:
        """As values that travel."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Figures:
        """From values that have travelled."""
        return cls(**{**plain, "repeated": [Repetition(**one) for one in plain["repeated"]]})

    def merged(self, others: Iterable[Figures]) -> Figures:
        """These and *others* as one; a note that several have is there once."""
        everybody = [self, *others]
        return Figures(
            notes=list(dict.fromkeys(note for one in everybody for note in one.notes)),
            built=sum(one.built for one in everybody),
            clones=_joined(one.clones for one in everybody),
            logs=sum(one.logs for one in everybody),
            statements=sum(one.statements for one in everybody),
            repeated=_worst([repetition for one in everybody for repetition in one.repeated]),
            others={
                other: any(figures.others.get(other) for figures in everybody)
                for figures in everybody
                for other in figures.others
            },
            postgresql=any(one.postgresql for one in everybody),
        )

    @property
    def missed(self) -> list[str]:
        """The engines that tests used instead of PostgreSQL, where none used PostgreSQL."""
        return [] if self.postgresql else [other for other, tested in self.others.items() if tested]

    def lines(self) -> Iterator[str]:
        """What a person reads of it."""
        yield from self.notes
        for other in self.others:
            yield f"{other}: what it writes is not isolated"
        clones = sum(map(len, self.clones.values()))
        made = [
            *([_many(self.built, "template", "built")] if self.built else []),
            *([_many(clones, "fresh clone", "after changes that a reset cannot undo")] if clones else []),
        ]
        if made:
            yield ", ".join(made)
        yield from self._reasons()
        if self.logs:
            yield f"{_many(self.statements, 'statement', 'in')} {_many(self.logs, 'test', 'with query_log')}"
        for one in self.repeated:
            yield f"{one.times} times {one.what} ({one.test})"

    def _reasons(self) -> Iterator[str]:
        reasons = sorted(self.clones.items(), key=lambda one: -len(one[1]))
        for reason, tests in reasons[:REASONS]:
            named = [test or "a wide fixture" for test in dict.fromkeys(tests)]
            more = f" and {len(named) - TESTS} more" if len(named) > TESTS else ""
            yield f"{_many(len(tests), 'clone', 'after')} {reason} ({', '.join(named[:TESTS])}{more})"
        if len(reasons) > REASONS:
            yield f"and clones for {len(reasons) - REASONS} more reasons"


def _joined(clones: Iterable[dict[str, list[str]]]) -> dict[str, list[str]]:
    joined: dict[str, list[str]] = {}
    for one in clones:
        for reason, tests in one.items():
            joined.setdefault(reason, []).extend(tests)
    return joined


def _worst(repeated: list[Repetition]) -> list[Repetition]:
    return sorted(set(repeated), key=lambda one: (-one.times, one.test, one.what))[:WORST]


def _many(number: int, thing: str, how: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'} {how}"
