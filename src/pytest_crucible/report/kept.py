"""How to open the database of a failed test."""

from __future__ import annotations


def how_to_open(name: str, server: str) -> str:
    """One line on the kept database *name*.

    Args:
        name: The database.
        server: ``crucible_server``, without its password.
    """
    kind = server.partition(":")[0]
    if kind == "container-per-worker":
        return f"{name} went with its container; one that is shared can be kept running by crucible server"
    where = "" if server == "embedded" else f"--server '{server}' "
    line = f"kept {name}; open it with: crucible psql {where}{name}"
    if kind == "container":
        line += f" (while its container is there: crucible server {where}keeps that running)"
    return line
