"""The messages of a child and its parent: one JSON object in each line, over a socket of the file system.

A JSON object, not a pickled one: the child may run another version of Python.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from typing import Any

from ... import errors
from ...errors import CrucibleError
from ...redirect import Origin, Target
from ...server.address import Address

Words = dict[str, Any]
# Names the socket, in the environment of every child.
VARIABLE = "PYTEST_CRUCIBLE_PARENT"


def send(line: socket.socket, words: Words) -> None:
    """Send *words*."""
    line.sendall(json.dumps(words).encode() + b"\n")


def receive(line: socket.socket) -> Words | None:
    """Return the message of the other side; None if it is gone."""
    data = b""
    while not data.endswith(b"\n"):
        part = line.recv(65536)
        if not part:
            return None
        data += part
    words: Words = json.loads(data)
    return words


def is_gone(line: socket.socket) -> bool:
    """Return whether the other end is closed."""
    try:
        return line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def origin_of(words: Words) -> Origin:
    """Return the origin of a question."""
    return Origin(words["driver"], words["user"], words["database"])


def answer(target: Target) -> Words:
    """Return *target* as an answer."""
    return {"address": asdict(target.address), "generation": target.generation}


def target_of(words: Words) -> Target:
    """Return the target of an answer.

    Raises:
        CrucibleError: The answer is one.
    """
    if "error" in words:
        kind = getattr(errors, words["error"], CrucibleError)
        raise kind(words["found"], why=words["why"], do=words["do"])
    address = words["address"]
    tls = tuple((word, value) for word, value in address.pop("tls"))
    return Target(Address(**address, tls=tls), words["generation"])


def refusal(error: Exception) -> Words:
    """Return *error* as an answer."""
    if isinstance(error, CrucibleError):
        words = {"found": error.found, "why": error.why, "do": error.do}
        return {"error": type(error).__name__, **words}
    return {"error": "RedirectError", "found": f"{type(error).__name__}: {error}", "why": "", "do": ""}
