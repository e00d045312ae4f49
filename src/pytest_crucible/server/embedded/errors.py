"""The errors for an embedded server that did not start."""

from __future__ import annotations

from ...errors import ServerError

ELSEWHERE = (
    'Or use a running server: crucible_server = "postgresql://user@host/postgres"; '
    "or another installation: CRUCIBLE_POSTGRES=/usr/lib/postgresql/18."
)


def explain(word: str, details: str = "", log: str = "") -> ServerError:
    """Return the error for the *word* that the supervisor reported."""
    found, why, do = {
        "died": ("PostgreSQL ended while it was starting.", "", "The end of its log, below, shows the reason."),
        "slow": (
            "PostgreSQL did not accept connections within 60 seconds.",
            "The machine is overloaded, or the folder of the data directory is very slow.",
            "Run again with less load.",
        ),
        "full": (
            "There is no room left for the test server.",
            details,
            "Make room there, or point TMPDIR at a larger disk. In Docker: docker run --shm-size=1g.",
        ),
        "damaged": ("A saved cluster is damaged.", details, "It was set aside; run again to make another."),
        "refused": (
            "PostgreSQL must not run as root, and Crucible cannot run it as another user here.",
            "Neither a user namespace nor a change of user is allowed in this container.",
            "Run the tests as an ordinary user.",
        ),
    }.get(word, ("The embedded PostgreSQL server could not be started.", details, "Run again."))
    return ServerError(found, why=why, do="\n".join(part for part in (do, ELSEWHERE, quoted(log)) if part))


def quoted(log: str) -> str:
    """Return the end of a log, as a part of a message."""
    return "PostgreSQL's log:\n" + "\n".join("    " + line for line in log.splitlines()) if log else ""
