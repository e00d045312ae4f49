"""Every SQLAlchemy engine in the process that speaks PostgreSQL leads to the database that Crucible names."""

from __future__ import annotations

from .connections import Opened
from .engines import LIFESPAN, OUTSIDE, Redirect
from .holders import FirstUse
from .others import OtherEngines
from .targets import Origin, Target

__all__ = ["LIFESPAN", "OUTSIDE", "FirstUse", "Opened", "Origin", "OtherEngines", "Redirect", "Target"]
