"""The redirect of every PostgreSQL engine in the process to the database that Crucible names."""

from __future__ import annotations

from .connection_registry import Opened, opened_by
from .holders import FirstUse
from .other_dialects import OtherEngines
from .redirect import LIFESPAN, OUTSIDE, Redirect
from .targets import Origin, Target

__all__ = ["LIFESPAN", "OUTSIDE", "FirstUse", "Opened", "Origin", "OtherEngines", "Redirect", "Target", "opened_by"]
