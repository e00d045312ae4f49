"""The start of a supervisor, and the wait for its report."""

from __future__ import annotations

import marshal
import os
import select
import subprocess
from typing import Any, NamedTuple

from .folders import Folders


class Report(NamedTuple):
    """A supervisor's report: ``ready``, or a word for the error."""

    word: str
    details: str = ""
    log: str = ""


def supervise(argv: list[str], where: Folders, order: dict[str, Any], lock: int, *, seconds: float) -> Report:
    """Start a supervisor by the command *argv*, and wait for at most *seconds* until its server is ready.

    Args:
        argv: The command that runs the ``main()`` of a supervisor.
        where: The folders of the project.
        order: The other instructions for the supervisor.
        lock: The descriptor of the start lock, which the supervisor holds until the server is ready.
        seconds: The time to wait.
    """
    files = {"ready": str(where.ready), "start": str(where.start), "users": str(where.users), "key": where.key}
    reading, writing = os.pipe()
    with open(reading, "rb") as report:
        try:
            errors = _spawn(argv, {**files, **order, "report": writing, "start_lock": lock})
        finally:
            os.close(writing)
        ready, _, _ = select.select([report], [], [], seconds)
        answer = report.read() if ready else b""
    return Report(*marshal.loads(answer)) if answer else Report("failed", f"The supervisor is silent. {errors}")


def _spawn(argv: list[str], order: dict[str, Any]) -> str:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(order["report"], order["start_lock"]),
        # Ctrl-C in the terminal must reach only the tests, which then release the server themselves.
        start_new_session=True,
    )
    _, errors = process.communicate(marshal.dumps(order))
    return errors.decode(errors="replace")[-2000:]
