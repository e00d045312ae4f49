"""Every SQLAlchemy engine in the process that speaks PostgreSQL leads to the database that Crucible names."""

from __future__ import annotations

from .connection_registry import Opened
from .holders import FirstUse
from .other_dialects import OtherEngines
from .redirect import LIFESPAN, OUTSIDE, Redirect
from .targets import Origin, Target

__all__ = ["LIFESPAN", "OUTSIDE", "FirstUse", "Opened", "Origin", "OtherEngines", "Redirect", "Target"]
