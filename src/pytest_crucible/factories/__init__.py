"""Polyfactory's factories: bound to the test's session and seeded by the test's name, with nothing to wire.

The model
---------
*A place* is where data is made: a test, or a fixture of a wider scope while it comes up. It knows the session to store
with, and the number that all randomness is seeded with when it begins: the seed of the run mixed with the name of the
place. So a test sees the same data alone, in any order and on any worker, and a wide fixture draws nothing from the
test that happened to ask for it first.

*The binding* (`binding`) is the one module that knows Polyfactory. While a run lasts it replaces public hooks of
Polyfactory's base classes, so that every subclass has them, however the user declared it; what a subclass sets itself
wins. Polyfactory is never imported here: the binding waits until the project imports it (`imports`).
"""

from __future__ import annotations

from .factories import Factories
from .scope import Place

__all__ = ["Factories", "Place"]
