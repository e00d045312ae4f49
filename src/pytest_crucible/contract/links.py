"""The sequences of requests that Schemathesis draws: each has something of the answer to an earlier one.

The state machine is synchronous, and the application runs on the test's event loop. So the machine runs in a greenlet
of SQLAlchemy's, as the inside of an ``AsyncSession`` does, and awaits there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import unquote

from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from sqlalchemy.util import await_only, greenlet_spawn

from ..errors import ContractError, UsageError
from .cases import BASE_URL, prepared, printer_kept
from .checks import Checks
from .contract import Contract, OperationProbe, settings_of
from .document import Operation, operations_of, without_credentials
from .requester import Requester
from .requests import AnswerPart, Chain, PreparedRequest, SentRequest
from .sequences import Replay, SequenceStep, keys_of, values_of
from .watch import Watch

# The number of requests in a sequence: twice to each of some operations.
STEPS = 8
UNSENDABLE = 400
BODY = "$response.body#/"


class Failed(BaseException):
    """The end of all sequences: Hypothesis would catch an `Exception`, and try to replay what it cannot."""

    def __init__(self, error: ContractError) -> None:
        self.error = error


class Links:
    """The sequences of requests to one application.

    Args:
        contract: The project's declarations.
        document: The OpenAPI document of the application.
        requester: The sender of the requests.
        watch: The watch over the databases.
        begin: Resets the database and the client to the state of the test's beginning.
    """

    def __init__(
        self,
        contract: Contract,
        document: dict[str, Any],
        requester: Requester,
        watch: Watch,
        begin: Callable[[], Awaitable[None]],
    ) -> None:
        self._contract = contract
        self._document = document
        self._requester = requester
        self._watch = watch
        self._begin = begin
        self._operations = {str(operation): operation for operation in operations_of(document)}
        self._steps: dict[str, SequenceStep] = {}  # by the identifier of their cases
        self._sent: list[SentRequest] = []
        self._count = self._linked = 0

    async def run(self) -> None:
        """Send the sequences, each from the same state.

        Raises:
            ContractError: If an operation has done what it may not.
            UsageError: If no request was linked to another one.
        """
        found = await self._found()
        if found is not None:
            replay = Replay(self._contract, self._requester, self._watch, self._begin)
            error = await replay.smallest(list(self._steps.values()), found)
            raise error from error.__cause__
        if not self._linked:
            raise _unlinked(f"None of {self._count} sequences has a request that is linked to another one.")

    async def _found(self) -> ContractError | None:
        try:
            await greenlet_spawn(self._run)
        except Failed as failed:
            return failed.error
        return None

    def _run(self) -> None:
        from schemathesis.core.errors import NoLinksFound

        with printer_kept():
            machine = machine_of(self, self._document, self._contract.exclude)
        while self._count < self._contract.examples:
            try:
                machine.run(settings=self._settings(self._contract.examples - self._count))
            except NoLinksFound as error:
                raise _unlinked("The OpenAPI document has no links, and none can be inferred from it.") from error
            except Flaky:
                continue  # answers differ, and so does what is drawn after them: go on with other sequences
            return

    def _settings(self, number: int) -> settings:
        return settings(
            settings_of(self._contract),
            max_examples=number,
            phases=[Phase.generate],
            database=None,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        )

    def start(self) -> None:
        """Begin a sequence."""
        self._count += 1
        self._steps.clear()
        self._sent.clear()
        await_only(self._begin())

    def step(self, case: Any, node: Any) -> Any:
        """Send the request of *case*, check it, and return Schemathesis's response.

        Args:
            case: A case of Schemathesis's.
            node: Its record of the case, with the link that has led to it.
        """
        operation = self._operations[f"{case.operation.method.upper()} {case.operation.path}"]
        request = prepared(case).without_carried(self._requester.client)
        parts = tuple(self._parts(operation, request, node))
        step = SequenceStep(OperationProbe(operation, is_anonymous=False), case, request, parts, {})
        chain = Chain(tuple(self._sent), parts, keys_of(each.values for each in self._steps.values()))
        self._steps[case.id] = step
        checks = Checks(self._contract, step.probe, self._requester, self._watch, chain)
        try:
            answer = await_only(checks.check(case, request))
        except ContractError as error:
            raise Failed(error) from error
        if answer is None:
            del self._steps[case.id]
            return _response(request, UNSENDABLE)
        self._linked += node.transition is not None and node.is_transition_applied
        self._steps[case.id] = replace(step, values=values_of(answer.response))
        self._sent.append(SentRequest(request, answer.status, chain))
        return _response(request, answer.status, answer.response)

    def _parts(self, operation: Operation, request: PreparedRequest, node: Any) -> Iterator[AnswerPart]:
        """Yield the parts of earlier answers that *request* has in its path: each of the first answer that has it."""
        if node.transition is None:
            return
        linked = node.transition.parameters.get("path_parameters", {})
        segments = list(map(unquote, request.path.split("/")))
        names = operation.path.split("/")
        if len(names) != len(segments):  # of ".." in a path, less is sent
            return
        for at, name_in_braces in enumerate(names):
            link = linked.get(name_in_braces[1:-1]) if name_in_braces.startswith("{") else None
            expression = "" if link is None else str(link.definition)
            if expression.startswith(BODY):
                name = expression.rpartition("/")[2]
                parts = (
                    AnswerPart(at, number, keys)
                    for number, step in enumerate(self._steps.values(), 1)
                    for keys, value in step.values.items()
                    if keys[-1:] == (name,) and str(value) == segments[at]
                )
                yield from islice(parts, 1)


def machine_of(links: Links, document: dict[str, Any], exclude: Sequence[str]) -> Any:
    """Return Schemathesis's state machine of *document*, which sends its requests by *links*."""
    import schemathesis

    def is_excluded(context: Any) -> bool:
        operation = context.operation
        return Operation(operation.method.upper(), operation.path).matches(exclude)

    schema: Any = schemathesis.openapi.from_dict(without_credentials(document)).exclude(is_excluded)
    machine: Any = schema.as_state_machine()

    class LinkedRequests(machine):  # type: ignore[misc]
        """The state machine of the links."""

        def setup(self) -> None:
            links.start()

        def call(self, case: Any, **_: Any) -> Any:
            return links.step(case, self.recorder.cases[case.id])

        def validate_response(self, *_: Any, **__: Any) -> None:
            """Check nothing more: `Links.step` has."""

    return LinkedRequests


def _response(request: PreparedRequest, status: int, response: Any = None) -> Any:
    """Return *response* as Schemathesis's, or an empty one of *status*."""
    from requests import Request
    from schemathesis.core.transport import Response

    if response is not None:
        return Response.from_any(response)
    sent = Request(request.method, BASE_URL + request.url).prepare()
    return Response(status, {}, b"", sent, elapsed=0.0, verify=False)


def _unlinked(found: str) -> UsageError:
    return UsageError(
        found,
        why="A link leads from an answer, such as the id of a new row, to a parameter of another operation.",
        do="Describe answers by response_model, or write links in responses={201: {'links': …}}; have fixtures store"
        " the rows without which the first requests are refused.",
    )
