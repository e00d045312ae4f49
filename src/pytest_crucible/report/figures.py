"""The figures of a run. They travel from a worker of pytest-xdist to the controller as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from ..errors.counting import counted

WORST = 3
# Reasons of fresh clones that are listed, and tests that are named for each.
REASONS = 5
TESTS = 3


class Repetition(NamedTuple):
    """A statement that one test executed several times from one location."""

    times: int
    what: str
    test: str


@dataclass
class Figures:
    """The figures of one process, or of several.

    Attributes:
        notes: Lines for the user, for example on a role that joined the schema's owner.
        built: The number of templates built.
        clones: The reasons why a reset took a fresh clone, each with its tests; "" stands for a wide fixture.
        logs: The number of tests that used a query log.
        statements: The number of statements that they executed.
        repeated: The worst repetitions among them.
        others: The engines that do not speak PostgreSQL, each with whether a test used it.
        postgresql: Whether any test has used PostgreSQL.
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
        """Add the statements of one test."""
        self.logs += 1
        self.statements += statements
        self.repeated = _worst([*self.repeated, *repeated])

    def add_clone(self, reason: str, test: str) -> None:
        """Add a fresh clone that *test* made necessary."""
        self.clones.setdefault(reason, []).append(test)

    def plain(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {**asdict(self), "repeated": [repetition._asdict() for repetition in self.repeated]}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Figures:
        """Return the figures that `plain` made these values of."""
        return cls(**{**plain, "repeated": [Repetition(**repetition) for repetition in plain["repeated"]]})

    def merged(self, others: Iterable[Figures]) -> Figures:
        """Return the sum of these figures and *others*; a note that several have appears once."""
        processes = [self, *others]
        return Figures(
            notes=list(dict.fromkeys(note for figures in processes for note in figures.notes)),
            built=sum(figures.built for figures in processes),
            clones=_joined(figures.clones for figures in processes),
            logs=sum(figures.logs for figures in processes),
            statements=sum(figures.statements for figures in processes),
            repeated=_worst([repetition for figures in processes for repetition in figures.repeated]),
            others={
                engine: any(figures.others.get(engine) for figures in processes)
                for process in processes
                for engine in process.others
            },
            postgresql=any(figures.postgresql for figures in processes),
        )

    @property
    def missed(self) -> list[str]:
        """The engines that tests used instead of PostgreSQL, if none used PostgreSQL."""
        return [] if self.postgresql else [engine for engine, is_tested in self.others.items() if is_tested]

    def lines(self) -> Iterator[str]:
        """Yield the summary lines printed at the end of the run."""
        yield from self.notes
        for engine in self.others:
            yield f"{engine}: what it writes is not isolated"
        clones = sum(map(len, self.clones.values()))
        databases = [
            *([f"{counted(self.built, 'template')} built"] if self.built else []),
            *([f"{counted(clones, 'fresh clone')} after changes that a reset cannot undo"] if clones else []),
        ]
        if databases:
            yield ", ".join(databases)
        yield from self._reasons()
        if self.logs:
            yield f"{counted(self.statements, 'statement')} in {counted(self.logs, 'test')} with query_log"
        for repetition in self.repeated:
            yield f"{repetition.times} times {repetition.what} ({repetition.test})"

    def _reasons(self) -> Iterator[str]:
        reasons = sorted(self.clones.items(), key=lambda item: -len(item[1]))
        for reason, tests in reasons[:REASONS]:
            named = [test or "a wide fixture" for test in dict.fromkeys(tests)]
            more = f" and {len(named) - TESTS} more" if len(named) > TESTS else ""
            yield f"{counted(len(tests), 'clone')} after {reason} ({', '.join(named[:TESTS])}{more})"
        if len(reasons) > REASONS:
            yield f"and clones for {counted(len(reasons) - REASONS, 'more reason')}"


def _joined(clones: Iterable[dict[str, list[str]]]) -> dict[str, list[str]]:
    joined: dict[str, list[str]] = {}
    for reasons in clones:
        for reason, tests in reasons.items():
            joined.setdefault(reason, []).extend(tests)
    return joined


def _worst(repeated: list[Repetition]) -> list[Repetition]:
    return sorted(set(repeated), key=lambda repetition: (-repetition.times, repetition.test, repetition.what))[:WORST]
