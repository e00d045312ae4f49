"""Races: actors that run against each other in every order of what they send to the database."""

from __future__ import annotations

from .explorer import Exploration
from .race import Race

__all__ = ["Exploration", "Race"]
