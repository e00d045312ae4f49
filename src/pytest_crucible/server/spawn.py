"""Start a supervisor, and wait for its report."""

from __future__ import annotations

import marshal
import os
import select
import subprocess
from typing import Any, NamedTuple

from .folders import Folders


class Report(NamedTuple):
    """What a supervisor said: ``ready``, or a word for what went wrong."""

    word: str
    details: str = ""
    log: str = ""


def supervise(argv: list[str], where: Folders, order: dict[str, Any], lock: int, *, seconds: float) -> Report:
    """Start a supervisor by the command *argv*, and wait for at most *seconds* until its server is ready.

    Args:
        argv: Runs the ``main()`` of a supervisor.
        where: The folders of the project.
        order: What the supervisor needs to know besides.
        lock: The descriptor of the start lock, which it holds until the server is ready.
        seconds: How long to wait.
    """
    files = {"ready": str(where.ready), "start": str(where.start), "users": str(where.users), "key": where.key}
    reading, writing = os.pipe()
    with open(reading, "rb") as report:
        try:
            said = _spawn(argv, {**files, **order, "report": writing, "start_lock": lock})
        finally:
            os.close(writing)
        ready, _, _ = select.select([report], [], [], seconds)
        answer = report.read() if ready else b""
    return Report(*marshal.loads(answer)) if answer else Report("failed", f"The supervisor is silent. {said}")


def _spawn(argv: list[str], order: dict[str, Any]) -> str:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(order["report"], order["start_lock"]),
        # Ctrl-C in the terminal is for the tests, which then let go of the server in their own time.
        start_new_session=True,
    )
    _, errors = process.communicate(marshal.dumps(order))
    return errors.decode(errors="replace")[-2000:]
