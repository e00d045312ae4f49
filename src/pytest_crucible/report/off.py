"""The advice for a test that requests a fixture of Crucible in a project that has not switched it on."""

from __future__ import annotations

import re
from typing import Any

import pytest

# A test checks that the list is complete; the modules that define the fixtures are not loaded here.
FIXTURES = frozenset(
    (
        *("access_token", "async_client", "async_engine", "auth_scheme", "authenticated_client", "bad_tokens"),
        *("client_as", "client_options", "crucible", "current_user_dependency", "database_url", "db_session"),
        *("expired_token", "invalid_token", "migrations", "query_log", "race", "sync_session", "test_user"),
    )
)
NOT_FOUND = re.compile(r"fixture '(\w+)' not found")


class Followed:
    """A part of a report with a paragraph after it."""

    def __init__(self, part: Any, paragraph: str) -> None:
        self._part = part
        self._paragraph = paragraph

    def __str__(self) -> str:
        return f"{self._part}\n{self._paragraph}"

    def toterminal(self, writer: Any) -> None:
        """Write the part as pytest does, and then the paragraph."""
        self._part.toterminal(writer)
        for line in self._paragraph.splitlines():
            writer.line(line, red=True)


def say_what_to_set(report: pytest.TestReport, config: pytest.Config) -> None:
    """Add to *report* how to switch Crucible on, if it says that one of its fixtures was not found."""
    match = NOT_FOUND.search(report.longreprtext)
    if match is None or match[1] not in FIXTURES or not hasattr(report.longrepr, "toterminal"):
        return
    file = config.inipath
    read = f"pytest has read {file.name}" if file is not None else "pytest has found no configuration file"
    paragraph = (
        f"{match[1]} is a fixture of pytest-crucible, which is off: no option says what the schema is built from"
        f" ({read}).\n{what_to_set(is_ini=file is not None and file.suffix != '.toml')}"
    )
    report.longrepr = Followed(report.longrepr, paragraph)  # type: ignore[assignment] # all that pytest asks of one


def what_to_set(*, is_ini: bool) -> str:
    """Return the advice, in the spelling of the configuration file."""
    metadata, alembic, schema = '["app.models:Base"]', '"alembic.ini"', '["db/schema.sql"]'
    if is_ini:
        metadata, alembic, schema = "app.models:Base", "alembic.ini", "db/schema.sql"
    table = "in the section of pytest's options" if is_ini else "in [tool.pytest] of pyproject.toml"
    return (
        f"Write crucible_metadata = {metadata}, crucible_alembic = {alembic} or crucible_schema = {schema} {table};"
        " `crucible init` finds out what is right for this project."
    )
