"""The errors for a container that did not start."""

from __future__ import annotations

from ...errors import ServerError
from ..embedded.errors import quoted

EMBEDDED = (
    'Or use the server that needs no containers: crucible_server = "embedded", the default. '
    'Or a running server: crucible_server = "postgresql://user@host/postgres".'
)


def explain(word: str, image: str, details: str = "", log: str = "") -> ServerError:
    """Return the error for the *word* that the supervisor reported."""
    found, why, do = {
        "missing": (
            "crucible_server asks for a container, and the package testcontainers is not installed.",
            "It starts the containers.",
            "pip install 'pytest-crucible[containers]'",
        ),
        "engine": (
            f"No container engine answers: {details}",
            "Docker (or its substitute) is not installed here, does not run, or may not be used by this user.",
            "Start it (`docker info` says whether it answers), or set DOCKER_HOST to its address.",
        ),
        "image": (
            f"The image {image} is not on this machine and cannot be pulled: {details}",
            "Its name is misspelt, the registry cannot be reached from here, or it asks for a login.",
            f"Try it by hand: docker pull {image}",
        ),
        "died": (
            f"The container of {image} ended while it was starting.",
            details or "It is not an image of PostgreSQL, or its entrypoint refuses the settings.",
            'An image derived from the official one, such as "container:postgres:16-alpine", works.',
        ),
        "slow": (
            f"PostgreSQL in the container of {image} did not accept connections within two minutes.",
            details or "The machine is overloaded, or the port of the container cannot be reached from here.",
            "Inside another container, set TESTCONTAINERS_HOST_OVERRIDE to the host on which its ports are published.",
        ),
    }.get(word, (f"A container of {image} could not be started.", details, "Run again."))
    return ServerError(found, why=why, do="\n".join(part for part in (do, EMBEDDED, quoted(log)) if part))
