"""Dates and times that do not depend on the clock: the same data tomorrow as today.

Polyfactory draws them relative to now. Here they lie in a fixed span of the past; dates that must be in the future lie
far ahead. Direct calls of Faker are unchanged.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from functools import partial
from typing import Any
from uuid import UUID

EARLIEST = datetime(1995, 1, 1)  # noqa: DTZ001 # what Polyfactory draws is naive
LATEST = datetime(2025, 1, 1)  # noqa: DTZ001
FUTURE = datetime(2100, 1, 1)  # noqa: DTZ001
DAYS = timedelta(days=30)
# Polyfactory's default without bounds: from a hundred days before today to a hundred days after.
SPAN = timedelta(days=200)

MONTH = 30 * 24 * 60 * 60
# The types, without dates, that Faker fills collections of undeclared contents with.
CONTENTS = ("str", "float", "int", "decimal", "uri", "email")

Map = dict[Any, Callable[[], Any]]


def _moment(faker: Any, tz: Any = None) -> datetime:
    moment: datetime = faker.date_time_between(EARLIEST, LATEST, tz)
    return moment


def _day(faker: Any, first: datetime, last: datetime) -> date:
    day: date = faker.date_between_dates(first.date(), last.date())
    return day


def settled(providers: Map, faker: Any) -> Map:
    """Replace those of Polyfactory's *providers* that depend on the clock; keep a project's own."""
    _replace(providers, datetime, faker.date_time_between, lambda: _moment(faker))
    _replace(providers, date, faker.date_this_decade, lambda: _day(faker, EARLIEST, LATEST))
    _replace(providers, time, faker.time_object, lambda: _moment(faker).time())
    _replace(providers, timedelta, faker.time_delta, lambda: timedelta(seconds=faker.pyint(0, MONTH)))
    for kind, fill in ((dict, faker.pydict), (list, faker.pylist), (tuple, faker.pytuple), (set, faker.pyset)):
        _replace(providers, kind, fill, partial(fill, value_types=CONTENTS))
    return providers


def settled_for_pydantic(providers: Map, faker: Any) -> Map:
    """Do the same for the types that Pydantic adds."""
    import pydantic

    future = FUTURE + DAYS
    _replace(providers, pydantic.PastDate, faker.past_date, lambda: _day(faker, EARLIEST, LATEST))
    _replace(providers, pydantic.FutureDate, faker.future_date, lambda: _day(faker, FUTURE, future))
    _replace(providers, pydantic.PastDatetime, faker.past_datetime, lambda: _moment(faker))
    _replace(providers, pydantic.FutureDatetime, faker.future_datetime, lambda: faker.date_time_between(FUTURE, future))
    _replace(providers, pydantic.NaiveDatetime, faker.date_time, lambda: _moment(faker))
    aware = providers.get(pydantic.AwareDatetime)
    if getattr(aware, "func", None) == faker.date_time:
        providers[pydantic.AwareDatetime] = lambda: _moment(faker, timezone.utc)
    return providers


def _replace(providers: Map, kind: Any, original: Callable[..., Any], replacement: Callable[[], Any]) -> None:
    if providers.get(kind) == original:
        providers[kind] = replacement


def bounded(annotation: Any, field: Any) -> Any:
    """Return *field*; if its constraints leave a bound of a date open, add that bound."""
    constraints = field.constraints or {}
    if not (isinstance(annotation, type) and issubclass(annotation, date)):
        return field
    lower, upper = constraints.get("ge") or constraints.get("gt"), constraints.get("le") or constraints.get("lt")
    if lower and upper:
        return field
    field = copy.copy(field)
    if lower:
        field.constraints = {**constraints, "le": lower + SPAN}
    elif upper:
        field.constraints = {**constraints, "ge": upper - SPAN}
    else:
        field.constraints = {**constraints, "ge": EARLIEST.date(), "le": LATEST.date()}
    return field


def uuid1(annotation: Any, field: Any, faker: Any) -> UUID | None:
    """Return a UUID of version 1 if *field* requires one: Python's own depends on the clock and the network card."""
    if annotation is UUID and (field.constraints or {}).get("uuid_version") == 1:
        return UUID(int=UUID(str(faker.uuid4())).int, version=1)
    return None
