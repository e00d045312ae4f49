"""Tests of FastAPI and SQLAlchemy applications against a real, private PostgreSQL.

The public names are loaded when they are used: pytest imports this package in every project in which the
plugin is installed, also in those that never set it up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .app.overrides import overriding
    from .app.transport import AsgiTransport
    from .errors import (
        ApplicationError,
        BlockedError,
        ContractError,
        CrucibleError,
        IsolationError,
        LeakWarning,
        MigrationError,
        OtherDialectWarning,
        PendingTaskWarning,
        PermissionMissing,
        QueryCountError,
        RaceError,
        RedirectError,
        RefusalError,
        ResetError,
        ServerError,
        TemplateError,
        UsageError,
    )
    from .factories.bulk.bulk import bulk_create, bulk_create_sync
    from .queries import QueryLog
    from .recipes.fingerprints import reads

__all__ = [
    "ApplicationError",
    "AsgiTransport",
    "BlockedError",
    "ContractError",
    "CrucibleError",
    "IsolationError",
    "LeakWarning",
    "MigrationError",
    "OtherDialectWarning",
    "PendingTaskWarning",
    "PermissionMissing",
    "QueryCountError",
    "QueryLog",
    "RaceError",
    "RedirectError",
    "RefusalError",
    "ResetError",
    "ServerError",
    "TemplateError",
    "UsageError",
    "bulk_create",
    "bulk_create_sync",
    "overriding",
    "reads",
]

_HOMES = {
    "AsgiTransport": "app.transport",
    "bulk_create": "factories.bulk.bulk",
    "bulk_create_sync": "factories.bulk.bulk",
    "overriding": "app.overrides",
    "QueryLog": "queries",
    "reads": "recipes.fingerprints",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-crucible")
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    home = importlib.import_module(f".{_HOMES.get(name, 'errors')}", __name__)
    attribute: object = getattr(home, name)
    globals()[name] = attribute
    return attribute


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
