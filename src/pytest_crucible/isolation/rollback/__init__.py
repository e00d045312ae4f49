"""Rollback isolation: one connection per test, and a transaction around it that is rolled back.

Model
-----
``db_session`` is bound to a connection that is opened with its first statement. An outer transaction begins there; the
session's own transaction is a savepoint in it (``join_transaction_mode="create_savepoint"``): a commit releases the
savepoint, a rollback goes back to it, and rows that were committed before stay. At the end of the test, whether it
passed or failed, the outer transaction is rolled back, on the event loop that used it.

The dependency that ``crucible_get_session`` names yields the very same session to the application.

Checks
------
* Deferred constraints are checked at the session's commit: see `constraints`.
* A second session on the same connection that interleaves with the first is an error: see `savepoints`.
* A statement that would end the outer transaction, or needs a transaction of its own, is an error: see `guard`.
* The application's commits on other connections are reset, as in the other isolations.

Limits
------
``now()`` stands still, NOTIFY reaches no listener, no row lock blocks, SERIALIZABLE has no effect, and a missing commit
goes unnoticed. Tests of these belong in reset isolation.
"""

from __future__ import annotations

from .dependency import dependency_of, fixture_for, overriding
from .rollback import Rollback

__all__ = ["Rollback", "dependency_of", "fixture_for", "overriding"]
