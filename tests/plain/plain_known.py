"""Where a project does not yet have the same result under Crucible; each entry is one to remove."""

from __future__ import annotations

# A project, the values of axes that it takes, and what goes wrong.
KNOWN: list[tuple[str, dict[str, str], str]] = [
    ("poller_thread", {"isolation": "clone"}, "transactions of a thread of a session fixture are taken for the test's"),
    ("lifespan_poller", {"isolation": "clone"}, "the tasks of a TestClient's lifespan lose their backend"),
]
