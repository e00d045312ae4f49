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
from ...redirect import Target
from ...server.address import Address

Message = dict[str, Any]


def send(line: socket.socket, message: Message) -> None:
    """Send *message*."""
    line.sendall(json.dumps(message).encode() + b"\n")


def receive(line: socket.socket) -> Message | None:
    """Return the message of the other side; None if it is gone."""
    data = b""
    while not data.endswith(b"\n"):
        part = line.recv(65536)
        if not part:
            return None
        data += part
    message: Message = json.loads(data)
    return message


def is_gone(line: socket.socket) -> bool:
    """Return whether the other end is closed."""
    try:
        return line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def of_target(target: Target) -> Message:
    """Return *target* as an answer."""
    return {"address": asdict(target.address), "generation": target.generation}


def target_of(message: Message) -> Target:
    """Return the target of an answer.

    Raises:
        CrucibleError: The answer is one.
    """
    if "error" in message:
        kind = getattr(errors, message["error"], CrucibleError)
        raise kind(message["found"], why=message["why"], do=message["do"])
    address = message["address"]
    tls = tuple((word, value) for word, value in address.pop("tls"))
    return Target(Address(**address, tls=tls), message["generation"])


def refusal(error: Exception) -> Message:
    """Return *error* as an answer."""
    if isinstance(error, CrucibleError):
        message = {"found": error.found, "why": error.why, "do": error.do}
        return {"error": type(error).__name__, **message}
    return {"error": "RedirectError", "found": f"{type(error).__name__}: {error}", "why": "", "do": ""}
