"""The settings that differ between deployments, read from the environment once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Settings:
    """The settings; the defaults are those of production, where only the secrets come from the environment."""

    database_url: str = "postgresql+asyncpg://ledger:secret@db.production.invalid/ledger"
    reports_url: str = "postgresql+asyncpg://ledger_reports:secret@replica.production.invalid/ledger"
    token_secret: str = "replace-this-secret-in-every-deployment"
    token_lifetime: timedelta = timedelta(hours=1)


def from_environ(environ: Mapping[str, str]) -> Settings:
    """Read ``LEDGER_*`` variables over the defaults."""
    defaults = Settings()
    minutes = environ.get("LEDGER_TOKEN_MINUTES")
    return Settings(
        database_url=environ.get("LEDGER_DATABASE_URL", defaults.database_url),
        reports_url=environ.get("LEDGER_REPORTS_URL", defaults.reports_url),
        token_secret=environ.get("LEDGER_TOKEN_SECRET", defaults.token_secret),
        token_lifetime=timedelta(minutes=int(minutes)) if minutes else defaults.token_lifetime,
    )


settings = from_environ(os.environ)
