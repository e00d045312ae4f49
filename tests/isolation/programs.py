"""Random programs: lists of statements, each with the number of the connection that it runs on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

# One step: which connection (0 and 1 psycopg, 2 the ORM session, 3 asyncpg), and the statement. COPY's data follow
# after ";\n".
Program = list[tuple[int, str]]


# For seats 0 and 1: the drivers differ in how COPY is said.
COPIES = (
    "COPY author (name) FROM STDIN;\ncopied {n}\ncopied {m}\n",
    "COPY lone (x) FROM STDIN;\n\\N\nx\n(x)\n",
    "COPY book (title, price) FROM STDIN (FORMAT csv);\ncsv,{n}\n",
    "COPY measure FROM STDIN;\n{n}\tnorth\t2020-01-01\t{k}\n{m}\tsouth\t2020-01-01\t{k}\n",
    "COPY parcel (id, note) FROM STDIN;\n{n}\tcopied\n3{m}\tcopied\n",
    "BEGIN ;; TRUNCATE target ;; COPY target (k, v) FROM STDIN (FREEZE);\n{n}\tfrozen\n ;; COMMIT",
    "BEGIN ;; SAVEPOINT s ;; TRUNCATE lone ;; COPY lone FROM STDIN (FREEZE);\n{n}\n ;; ROLLBACK TO SAVEPOINT s",
)


def every_third(kinds: Iterable[Any]) -> list[Any]:
    """Return parameters for all *kinds*, of which every third runs by default."""
    return [pytest.param(kind, marks=[pytest.mark.slow] if n % 3 else []) for n, kind in enumerate(kinds)]


# asyncpg caches statements and does not notice that these throw them away, in production as here.
NOT_ASYNCPG = ("DISCARD ALL", "DEALLOCATE ALL")


def _read() -> dict[str, list[str]]:
    """Return the statements of each kind."""
    _, *parts = Path(__file__).with_name("statements.sql").read_text("utf-8").split("\n\n")
    lines = [part.splitlines() for part in parts]
    forms_of = {kind.removeprefix("-- "): [form.replace("\\n", "\n") for form in forms] for kind, *forms in lines}
    return forms_of | {"copies": list(COPIES)}


STATEMENTS = _read()
NUMBERS = st.integers(0, 12).map(str)
TEXTS = st.sampled_from(["'t'", "''", "NULL", "'it''s (a) \"ü\"'", "'50%'"])
NAMES = st.sampled_from(["plain_seq", "used_seq", "cached_seq", "down_seq", "small_seq", "author_id_seq"])
PLACEHOLDER = re.compile(r"\{([nmkts])\}")
WHAT = {"n": NUMBERS, "m": NUMBERS, "k": NUMBERS, "t": TEXTS, "s": NAMES}


@st.composite
def _statement(draw: st.DrawFn, forms: list[str]) -> str:
    form = draw(st.sampled_from(forms))
    return PLACEHOLDER.sub(lambda found: draw(WHAT[found[1]]), form)


def _mix(**weights: int) -> SearchStrategy[str]:
    groups = [_statement(STATEMENTS[kind]) for kind, weight in weights.items() for _ in range(weight)]
    return st.sampled_from(groups).flatmap(lambda group: group)


ROWS = {"rows": 8, "control": 5, "reading": 2, "sequences": 2, "emptying": 1, "copies": 1, "session": 1}
ROW_PROGRAMS = _mix(**ROWS)
SCHEMA_PROGRAMS = _mix(**ROWS, temporary=1, large=1, schema=3)
NEEDLESS_PROGRAMS = _mix(**ROWS, temporary=1, needless=6, hidden=1)
TEMPORARY_PROGRAMS = _mix(rows=3, control=3, temporary=3, reading=1)
SERIALIZABLE = _mix(rows=6, reading=6, control=1)
OF_SESSION = _mix(orm=2, rows=1, control=1, reading=1)


@st.composite
def _steps(draw: st.DrawFn, statements: SearchStrategy[str]) -> Program:
    """One step, or some that belong together (" ;; " parts them)."""
    seat = draw(st.integers(0, 3))
    drawn = draw(OF_SESSION if seat == 2 else statements)
    seat = seat % 2 if ";\n" in drawn or drawn in NOT_ASYNCPG else seat
    return [(seat, statement) for statement in drawn.split(" ;; ")]


KINDS = ("rows", "emptying", "copies", "sequences", "session", "temporary", "large", "schema", "needless", "hidden")


def alone(*kinds: str) -> list[Program]:
    """Every statement by itself, with one choice of its values; of these *kinds*, or of all."""
    values = {"n": "2", "m": "3", "k": "4", "t": "'t'", "s": "cached_seq"}
    filled = [_filled(form, values) for kind in kinds or KINDS for form in STATEMENTS[kind]]
    programs = [[(0, part) for part in form.split(" ;; ")] for form in filled]
    if kinds:
        return programs
    return [*programs, *([(2, _filled(form, values)), (2, "COMMIT")] for form in STATEMENTS["orm"])]


def _filled(form: str, values: dict[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values[found[1]], form)


def programs(longest: int = 20) -> SearchStrategy[Program]:
    """Programs of up to *longest* steps; half of them change more than rows and sequences."""
    kinds = [ROW_PROGRAMS, ROW_PROGRAMS, ROW_PROGRAMS, TEMPORARY_PROGRAMS, SCHEMA_PROGRAMS, NEEDLESS_PROGRAMS]
    return st.tuples(st.sampled_from(kinds), st.integers(1, longest)).flatmap(
        # Left alone, lists are short.
        lambda drawn: st.lists(_steps(drawn[0]), min_size=drawn[1], max_size=drawn[1]).map(_joined)
    )


def _joined(parts: list[Program]) -> Program:
    return [step for part in parts for step in part]


# Whose transactions a program leaves open at its end.
LEAKS = st.one_of(st.just(frozenset()), st.just(frozenset()), st.frozensets(st.integers(0, 3)))


def interleaved() -> SearchStrategy[Program]:
    """Serializable transactions side by side, which PostgreSQL may refuse to commit."""
    begin = "BEGIN ISOLATION LEVEL SERIALIZABLE"
    middle = st.integers(1, 15).flatmap(lambda n: st.lists(_steps(SERIALIZABLE), min_size=n, max_size=n).map(_joined))
    return middle.map(
        lambda steps: [*((seat, begin) for seat in range(4)), *steps, *((seat, "COMMIT") for seat in range(4))]
    )
