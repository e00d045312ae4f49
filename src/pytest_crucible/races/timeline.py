"""The timeline of one order: what each actor sent to the database, in columns, and what came of it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState

from .actors import Actor, Step

WIDTH = 56
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def timeline(actors: Sequence[Actor], steps: Iterable[Step]) -> str:
    """Return a line for each of *steps*, in a column for its actor."""
    rows = [_cells(actors, step, number) for number, step in enumerate(steps, 1)]
    head = ["", *(actor.name for actor in actors)]
    return "\n".join(_line(row) for row in [[[cell] for cell in head], *rows])


def outcome(value: object) -> str:
    """Return a short text for what an actor returned or raised: a status code, the class of an exception, a value."""
    if isinstance(value, BaseException):
        original = getattr(value, "orig", None)
        cause = original.__cause__ or original if original is not None else None
        return type(value).__name__ + (f" ({type(cause).__name__})" if cause is not None else "")
    status = getattr(value, "status_code", None)
    return str(status) if isinstance(status, int) else textwrap.shorten(_text_of(value), 60)


def _text_of(value: object) -> str:
    """Return the text of a value without its address, by which equal ones would differ."""
    state = inspect(value, raiseerr=False)
    if isinstance(state, InstanceState) and type(value).__repr__ is object.__repr__:
        loaded = ((each.key, state.dict[each.key]) for each in state.mapper.column_attrs if each.key in state.dict)
        return f"{type(value).__name__}({', '.join(f'{name}={value!r}' for name, value in loaded)})"
    return ADDRESS.sub("", repr(value))


def _cells(actors: Sequence[Actor], step: Step, number: int) -> list[list[str]]:
    cells: list[list[str]] = [[str(number)], *([] for _ in actors)]
    cells[1 + step.actor.number] = _text(step)
    return cells


def _text(step: Step) -> list[str]:
    text = " ".join(step.sql.split()) if step.kind == "statement" else step.kind.upper()
    lines = textwrap.wrap(f"{text}  {step.parameters}".strip(), WIDTH, max_lines=4, placeholder=" …")
    if step.location is not None:
        lines.append(f"  at {step.location}")
    if step.waited_for:
        lines.append(f"  waited for {' and '.join(actor.name for actor in step.waited_for)}")
    if step.result:
        lines += textwrap.wrap(f"-> {step.result}", WIDTH, initial_indent="  ", subsequent_indent="     ", max_lines=2)
    return lines


def _line(cells: Sequence[Sequence[str]]) -> str:
    height = max(len(cell) for cell in cells)
    widths = [4, *[WIDTH + 2] * (len(cells) - 1)]
    lines = []
    for at in range(height):
        parts = [(cell[at] if at < len(cell) else "").ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("".join(parts).rstrip())
    return "\n".join(lines)
