"""What one process has to say at the end of a run. It travels from a worker to the controller as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

WORST = 3


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
        clones: How often a test's DDL, or something else that cannot be put back, cost a fresh clone.
        logs: How many tests asked for a query log.
        statements: How many statements they executed.
        repeated: The worst repetitions among them.
        others: The engines that do not speak PostgreSQL, each with whether a test used it.
        postgresql: Whether anything has used PostgreSQL.
    """

    notes: list[str] = field(default_factory=list)
    built: int = 0
    clones: int = 0
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
            clones=sum(one.clones for one in everybody),
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
        made = [
            *([_many(self.built, "template", "built")] if self.built else []),
            *(
                [_many(self.clones, "fresh clone", "after changes that cannot be put back (DDL)")]
                if self.clones
                else []
            ),
        ]
        if made:
            yield ", ".join(made)
        if self.logs:
            yield f"{_many(self.statements, 'statement', 'in')} {_many(self.logs, 'test', 'with query_log')}"
        for one in self.repeated:
            yield f"{one.times} times {one.what} ({one.test})"


def _worst(repeated: list[Repetition]) -> list[Repetition]:
    return sorted(set(repeated), key=lambda one: (-one.times, one.test, one.what))[:WORST]


def _many(number: int, thing: str, how: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'} {how}"
