"""Polyfactory's factories, bound to the test's session and seeded by the test's name without any wiring.

The model
---------
**A scope* makes data: a test, or a wide fixture during its setup. It knows the session to store with, and the number
that seeds all randomness when the scope begins: the seed of the run mixed with the name of the scope. So a test gets
the same data alone, in any order and on any worker, and a wide fixture does not change the data of the test that
requests it first.

**The binding* (`binding`) is the one module that knows Polyfactory. During a run it replaces public hooks of
Polyfactory's base classes, so that every subclass has them, however the user declared it; a subclass's own attribute
wins. This package never imports Polyfactory: the binding waits until the project imports it (`on_import`).
"""

from __future__ import annotations

from .factories import Factories
from .scope import FactoryScope

__all__ = ["Factories", "FactoryScope"]
