"""The contract test of an application, and the project's declarations for it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from .cases import Cases
from .document import Operation, operations_of
from .requests import PreparedRequest

EXAMPLES = 50
# Which parts of a request matter is seen from the smallest one; to try it out takes as long as to find it.
PHASES = [phase for phase in Phase if phase is not Phase.explain]
# A schema may be deep, and its author cannot make it simpler for the sake of a test.
ACCEPTED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@dataclass(frozen=True)
class OperationProbe:
    """One test: an operation, with the credentials of ``test_user`` or without any."""

    operation: Operation
    is_anonymous: bool

    def __str__(self) -> str:
        return f"{self.operation}-no credentials" if self.is_anonymous else str(self.operation)


@dataclass
class Drawing:
    """The requests to the operation whose test runs now.

    Hypothesis draws them before it calls the test: inside of a coroutine, its signals would end the runner of anyio.
    """

    cases: Cases | None = None

    def request(self, draw: Callable[[Any], Any], known: Mapping[str, Sequence[Any]]) -> tuple[Any, PreparedRequest]:
        """Draw a request."""
        assert self.cases is not None  # noqa: S101 - the fixture has set it
        return self.cases.draw(draw, known)


@dataclass(frozen=True)
class Contract:
    """The project's declarations: the arguments of `api_contract`."""

    exclude: tuple[str, ...] = ()
    secured: tuple[str, ...] = ()
    may_write: frozenset[str] = frozenset()
    allowed: frozenset[int] = frozenset()
    responses: bool = False
    known: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    growth: Callable[..., Any] | None = None
    links: bool = False
    examples: int = EXAMPLES
    drawing: Drawing = field(default_factory=Drawing)

    @property
    def fixtures(self) -> tuple[str, ...]:
        """The names of the fixtures that the function of *growth* takes."""
        if self.growth is None:
            return ()
        parameters = inspect.signature(self.growth).parameters.values()
        return tuple(each.name for each in parameters if each.default is each.empty)

    def is_failure(self, status: int) -> bool:
        """Return whether an answer with *status* is a failure of the server that the project does not allow."""
        return status >= 500 and status not in self.allowed

    def probes(self, document: dict[str, Any]) -> list[OperationProbe]:
        """Return every test: one for each operation, and another one for each that reads credentials.

        Of growth, those operations only that read.
        """
        if self.growth is not None:
            operations = [each for each in operations_of(document) if each.method == "GET"]
            return [OperationProbe(each, is_anonymous=False) for each in operations if not each.matches(self.exclude)]
        return [
            OperationProbe(operation, is_anonymous)
            for operation in operations_of(document, self.secured)
            if not operation.matches(self.exclude)
            for is_anonymous in ([False, True] if operation.is_secured else [False])
        ]


def api_contract(  # noqa: PLR0913 - each by its name
    *,
    exclude: Iterable[str] = (),
    secured: Iterable[str] = (),
    may_write: Iterable[str] = (),
    allowed: Iterable[int] = (),
    responses: bool = False,
    known: Mapping[str, Iterable[Any]] | None = None,
    growth: Callable[..., Any] | None = None,
    links: bool = False,
    examples: int = EXAMPLES,
) -> Callable[..., Any]:
    """Return a test that sends requests to every operation, drawn from the OpenAPI document of the application.

    Args:
        exclude: Operations that are not tested: ``"GET /health"``; ``*`` stands for any text: ``"* /admin/*"``.
        secured: Operations that read credentials without declaring it, and so are tested without them, too.
        may_write: Tables that a refused or failed request may write, such as a log of attempts.
        allowed: Statuses from 500 that an answer may have.
        responses: Whether each answer must be one that the document describes.
        known: Values that half of the requests have in a parameter, or in a field of the body, of that name: keys of
            rows that fixtures store, ``{"item_id": [7]}``.
        growth: A function that stores more rows, with fixtures as its parameters. The test then compares the statements
            of each GET request before and after it, and does nothing else.
        links: Whether the test sends sequences of requests that are linked, and does nothing else.
        examples: The number of requests to each operation, or of sequences.

    Raises:
        TypeError: If an argument is a text and not a list, *growth* is no function, or arguments exclude each other.
    """
    _check_types({"exclude": exclude, "secured": secured, "may_write": may_write}, growth)
    if links and (growth is not None or known):
        raise TypeError("links=True is a test of its own, without growth and known.")
    contract = Contract(
        exclude=tuple(exclude),
        secured=tuple(secured),
        may_write=frozenset(may_write),
        allowed=frozenset(allowed),
        responses=responses,
        known={name: tuple(several) for name, several in (known or {}).items()},
        growth=growth,
        links=links,
        examples=examples,
    )
    test = _test_of_links() if links else _test_of(contract)
    test.crucible_contract = contract  # type: ignore[attr-defined]
    return test


def _check_types(lists: Mapping[str, Iterable[str]], growth: object) -> None:
    for name, value in lists.items():
        if isinstance(value, str):
            raise TypeError(f"{name} must be a list: write {name}=[{value!r}].")
    if growth is not None and not inspect.isfunction(growth):
        raise TypeError("growth must be a function that stores more rows: write growth=more_items.")


def settings_of(contract: Contract) -> settings:
    """Return the settings of the tests of *contract*."""
    return settings(
        max_examples=contract.examples,
        deadline=None,
        phases=PHASES,
        suppress_health_check=ACCEPTED,
        verbosity=Verbosity.quiet,  # the error has the request
        report_multiple_bugs=False,
        print_blob=False,
    )


def _test_of_links() -> Callable[..., Any]:
    async def test_contract(crucible_links: Callable[[], Awaitable[None]]) -> None:
        """Check that sequences of requests hold."""
        await crucible_links()

    return test_contract


def _test_of(contract: Contract) -> Callable[..., Any]:
    @st.composite
    def drawn(draw: Callable[[Any], Any]) -> tuple[Any, PreparedRequest]:
        return contract.drawing.request(draw, contract.known)

    @settings_of(contract)
    @given(request=drawn())
    async def test_contract(
        crucible_contract_probe: OperationProbe,
        crucible_contract: Callable[[Any, PreparedRequest], Awaitable[None]],
        request: tuple[Any, PreparedRequest],
    ) -> None:
        """Check that the operation holds for one request."""
        await crucible_contract(*request)

    return test_contract


def contract_of(test: object) -> Contract | None:
    """Return the contract of a test that `api_contract` made; None for any other object."""
    return vars(test).get("crucible_contract") if callable(test) and hasattr(test, "__dict__") else None
