"""Sequences of requests that fail at their last one, and the smallest part of each that fails likewise.

What is drawn of a linked request depends on the answers before it, so Hypothesis cannot replay it where these have keys
that differ in each run. So the requests themselves are sent again, with the keys of the new answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard
from urllib.parse import quote

from ..errors import ContractError
from .checks import Checks
from .contract import Contract, OperationProbe
from .requester import Requester
from .requests import AnswerPart, Chain, PreparedRequest, SentRequest
from .watch import Watch

Keys = tuple[str | int, ...]
SHORTEST_KEY = 16


@dataclass(frozen=True)
class SequenceStep:
    """One request of a sequence.

    Attributes:
        probe: The operation.
        case: Schemathesis's case, of which the request was made.
        request: The request.
        parts: The parts of earlier answers that it has in its path.
        values: The values of its answer's JSON, by the keys that lead to them.
    """

    probe: OperationProbe
    case: Any
    request: PreparedRequest
    parts: tuple[AnswerPart, ...]
    values: Mapping[Keys, Any]


Steps = Sequence[SequenceStep]


class Replay:
    """The requests of sequences, sent again.

    Args:
        contract: The project's declarations.
        requester: The sender of the requests.
        watch: The watch over the databases.
        begin: Resets the database and the client to the state of the test's beginning.
    """

    def __init__(
        self, contract: Contract, requester: Requester, watch: Watch, begin: Callable[[], Awaitable[None]]
    ) -> None:
        self._contract = contract
        self._requester = requester
        self._watch = watch
        self._begin = begin

    async def smallest(self, steps: Steps, error: ContractError) -> ContractError:
        """Return the error of the least of *steps* that ends in the same as *error*; *error* if they do not again."""
        needed = dict(enumerate(steps))
        for number in sorted(needed, reverse=True)[1:]:
            fewer = {at: step for at, step in needed.items() if at != number}
            if not any(part.number == number + 1 for step in fewer.values() for part in step.parts):
                needed = fewer if await self._again(steps, fewer, error) else needed
        for number in needed:
            for less in without_fields(needed[number].request):
                shorter = needed | {number: replace(needed[number], request=less(needed[number].request))}
                needed = shorter if await self._again(steps, shorter, error) else needed
        # Once more: the database stays as the sequence that is shown has left it.
        return await self._again(steps, needed, error) or error

    async def _again(
        self, steps: Steps, needed: Mapping[int, SequenceStep], error: ContractError
    ) -> ContractError | None:
        """Return the error of the last of the *needed* steps if it is of the kind of *error*."""
        other = await self._error(steps, needed)
        return other if other is not None and _kind(other) == _kind(error) else None

    async def _error(self, steps: Steps, needed: Mapping[int, SequenceStep]) -> ContractError | None:
        """Return the error of the last of the *needed* steps, if the others have none."""
        numbers = list(needed)
        await self._begin()
        sent: list[SentRequest] = []
        answers: dict[int, Mapping[Keys, Any]] = {}
        for number, step in needed.items():
            request = with_keys(step, steps, answers)
            parts = tuple(replace(each, number=numbers.index(each.number - 1) + 1) for each in step.parts)
            chain = Chain(tuple(sent), parts, keys_of(answers.values()))
            checks = Checks(self._contract, step.probe, self._requester, self._watch, chain)
            try:
                answer = await checks.check(step.case, request)
            except ContractError as error:
                return error if number == numbers[-1] else None
            if answer is None:
                return None
            sent.append(SentRequest(request, answer.status, chain))
            answers[number] = values_of(answer.response)
        return None


def with_keys(step: SequenceStep, steps: Steps, answers: Mapping[int, Mapping[Keys, Any]]) -> PreparedRequest:
    """Return the request of *step* with the keys of new *answers* to earlier *steps*."""
    segments = step.request.path.split("/")
    for part in step.parts:
        value = answers[part.number - 1].get(part.keys)
        segments[part.segment] = quote(str(value), safe="") if value is not None else segments[part.segment]
    query, content = step.request.query, step.request.content
    for number, values in answers.items():
        for keys, old in steps[number].values.items():
            new = values.get(keys)
            if is_key(old) and is_key(new):
                query = query.replace(quote(old, safe=""), quote(new, safe=""))
                content = content.replace(json.dumps(old).encode(), json.dumps(new).encode())
    return replace(step.request, path="/".join(segments), query=query, content=content)


def keys_of(answers: Iterable[Mapping[Keys, Any]]) -> dict[str, str]:
    """Return the keys in the values of *answers*, each with the expression for it in a test."""
    expressions: dict[str, str] = {}
    for number, values in enumerate(answers, 1):
        for keys, value in values.items():
            if is_key(value):
                expressions.setdefault(value, AnswerPart(0, number, keys).code)
    return expressions


def is_key(value: object) -> TypeGuard[str]:
    """Return whether *value* may be a key that differs in each run; a short text is in a request by chance as well."""
    return isinstance(value, str) and len(value) >= SHORTEST_KEY


def without_fields(request: PreparedRequest) -> Iterator[Callable[[PreparedRequest], PreparedRequest]]:
    """Yield functions, each of which leaves one field of the JSON of *request* out."""
    for name in _fields(request):

        def less(other: PreparedRequest, name: str = name) -> PreparedRequest:
            kept = {each: value for each, value in _fields(other).items() if each != name}
            return replace(other, content=json.dumps(kept).encode())

        yield less


def _fields(request: PreparedRequest) -> dict[str, Any]:
    try:
        value = json.loads(request.content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def values_of(response: Any) -> dict[Keys, Any]:
    """Return the values of a response's JSON by the keys that lead to them; none where it has no JSON."""
    try:
        return dict(_values(response.json()))
    except (AttributeError, ValueError):
        return {}


def _values(value: Any) -> Iterator[tuple[Keys, Any]]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        yield (), value
    for key, part in inner:
        yield from (((key, *keys), each) for keys, each in _values(part))


def _kind(error: ContractError) -> str:
    """Return what *error* has found, without keys and numbers, which differ in each run."""
    return re.sub(r"[0-9a-fA-F-]{8,}|\d+", "", error.found)
