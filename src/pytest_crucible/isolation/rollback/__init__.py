"""Rollback isolation: one connection per test, and a transaction around it that is rolled back.

The model
---------
``db_session`` is bound to a connection that is opened with its first statement. An outer transaction begins there;
what the session calls its transaction is a savepoint in it (``join_transaction_mode="create_savepoint"``): a commit
releases the savepoint, a rollback goes back to it, and rows that were committed before stay. At the end of the test,
whatever failed, the outer transaction is rolled back, on the event loop that used it.

The dependency that ``crucible_get_session`` names yields the very same session to the application.

What is watched
---------------
* Deferred constraints are checked at the session's commit: see `constraints`.
* A second session on the same connection that interleaves with the first is an error: see `savepoints`.
* So is whatever would end the outer transaction, or needs a transaction of its own: see `guard`.
* What the application commits on other connections is put back by the reset, as in the other isolations; where the
  database has no triggers, it is an error that names the engine: see `outside`.

The limits
----------
``now()`` stands still, nobody is notified, no row lock blocks, SERIALIZABLE means nothing, and a forgotten commit goes
unseen. Tests of these belong in reset isolation.
"""

from __future__ import annotations

from .dependency import dependency_of, fixture_for, overriding
from .rollback import Rollback

__all__ = ["Rollback", "dependency_of", "fixture_for", "overriding"]
