"""Distinct values for unique columns among all rows that exist at the same time.

A value that was drawn before, in this test or in a wide fixture whose rows still exist, is drawn again. If hardly any
values are left to draw, a string gets a number at its end, and an integer is counted up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import chain
from typing import Any

from ..scope import SCOPES, Seen
from .key_columns import declares, keys_of

ATTEMPTS = 25
ABOVE = 10_000  # Polyfactory draws integers below

Values = dict[str, Any]


def distinct(factory: Any, values: Values, fixed: Iterable[str], redraw: Callable[[Values], Values]) -> Values:
    """Return *values*, changed so that no unique value was drawn before."""
    if not SCOPES:
        return values
    for names in keys_of(factory.__model__).unique:
        free = [name for name in names if name in values and name not in fixed]
        if not free:
            continue
        key = (_home(factory.__model__, names), names)
        values = _unseen(factory, values, _Taken(key, SCOPES[-1].seen), free, redraw)
    return values


class _Taken:
    def __init__(self, key: tuple[Hashable, tuple[str, ...]], seen: Seen) -> None:
        self._key = key
        self._names = key[1]
        self._seen = seen

    def has(self, values: Values) -> bool:
        value = self._value(values)
        if any(values.get(name) is None for name in self._names if name in values):
            return False
        return any(value in seen.get(self._key, ()) for seen in Seen.alive)

    def add(self, values: Values) -> None:
        self._seen.setdefault(self._key, set()).add(self._value(values))

    def count(self) -> int:
        return len(self._seen.get(self._key, ()))

    def _value(self, values: Values) -> Hashable:
        return tuple(_plain(values.get(name)) for name in self._names)


def _unseen(factory: Any, values: Values, taken: _Taken, free: list[str], redraw: Callable[[Values], Values]) -> Values:
    for attempt in _attempts(factory, values, taken, free, redraw):
        if not taken.has(attempt):
            values = attempt
            break
    taken.add(values)
    return values


def _attempts(
    factory: Any, values: Values, taken: _Taken, free: list[str], redraw: Callable[[Values], Values]
) -> Iterator[Values]:
    yield values
    for _ in range(ATTEMPTS):
        yield redraw({name: value for name, value in values.items() if name not in free})
    keys = keys_of(factory.__model__)
    for name in free:
        counted = _counted(values[name], taken.count() + 1, keys.limits.get(name))
        if counted is not None and not declares(factory, name):
            yield from ({**values, name: value} for value in counted)
            if name in keys.nullable:
                yield {**values, name: None}
            return


def _counted(value: Any, first: int, limit: int | None) -> Iterator[Any] | None:
    if isinstance(value, str):
        return _numbered(value, first, limit or len(value) + 20)
    if isinstance(value, int) and not isinstance(value, bool):
        return iter(range(ABOVE + first, limit or 2**31))
    return None


def _numbered(value: str, first: int, limit: int) -> Iterator[str]:
    for number in chain(range(first, 10**limit), range(1, min(first, 10**limit))):
        end = str(number)
        yield value[: limit - len(end)] + end


def _home(model: type, names: tuple[str, ...]) -> Hashable:
    """Return the table of the columns: subclasses of a model share the columns of its table."""
    attribute: Any = getattr(model, names[0])
    return str(attribute.property.columns[-1].table)


def _plain(value: Any) -> Hashable:
    """Return *value* as a case-insensitive column, or an index on lower(), may compare it."""
    if isinstance(value, str):
        return value.casefold()
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value  # type: ignore[no-any-return]
