"""The supervisor of a container: a separate process, which starts it, watches over it and removes it.

As with the embedded server (see embedded.py), each user holds the users' lock, and the supervisor ends the container
when it gets that lock exclusively. It replaces testcontainers' own reaper, without a second container:

============================  ======================================================================================
killed process                consequence
============================  ======================================================================================
the last users                the supervisor gets the users' lock, and removes the container
postgres                      its container ends, the engine removes it, and the supervisor sees its output end
the supervisor                the container's standard input, which it held open, ends: so does the container
all of them at once           the same
the engine                    removes the container when it starts again
============================  ======================================================================================

Where the input cannot be held (testcontainers before 4.15), a container whose supervisor was killed stays until the
next start, which knows it by its label and removes it.
"""

from __future__ import annotations

import marshal
import os
import sys

from pytest_crucible.server.supervisor import cleanup, duties
from pytest_crucible.server.supervisor.nest import Nest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Run a container as the order on stdin says."""
    order = marshal.loads(sys.stdin.buffer.read())
    if os.fork():
        os._exit(0)
    duties.detach(order)
    nest = Nest(order["parent"], order["key"])
    try:
        served = _serve(order, nest.path)
    finally:
        nest.remove()
    if not served:
        os.close(order["start_lock"])
    cleanup.remove_locks(order["users"], order["start"], order["ready"])


def _serve(order: dict[str, Any], nest: str) -> bool:
    """Start the container, wait for the last user, and remove it; return whether it started."""
    try:
        from pytest_crucible.server.container.engine import Container, ContainerFailed
    except ImportError as error:
        duties.report(order, "missing", str(error), "")
        return False
    container = Container(order, nest)
    users = None
    try:
        host, port = container.start()
        duties.announce(order, nest, host, str(port))
        users = duties.outlast_users(order, container.ended)
    except Exception as error:  # noqa: BLE001 - the client must hear of it, whatever it is
        failed = (error.word, error.details) if isinstance(error, ContainerFailed) else ("failed", repr(error))
        duties.report(order, *failed, container.log())
        return False
    finally:
        container.end()
        if users is not None:  # held until here, so that a new user waits for the removal
            os.close(users)
    return True
