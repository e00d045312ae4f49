"""A child process that was not forked, but started anew: its engines lead to the parent's databases.

``pytest_crucible_child``, which runs at the start of such a process, calls `begin` once SQLAlchemy is imported.
"""

from __future__ import annotations

from ...redirect import Redirect, forks
from .parent import Parent

_begun: list[Child] = []


class Child(forks.Forking):
    """This process as a child: a redirect that asks the parent."""

    def __init__(self, path: str) -> None:
        self.redirect = Redirect(Parent(path).target)
        self.redirect.is_child = True
        forks.watch(self)

    def after_fork_in_child(self) -> None:
        """Leave the connections that are open to the parent."""
        self.redirect.leave_to_parent()


def begin(path: str) -> None:
    """Lead the engines of this process to the databases of the process that answers at *path*."""
    child = Child(path)
    child.redirect.install()
    _begun.append(child)


def withdraw() -> None:
    """Stop being a child: this process runs tests, with databases of its own."""
    for child in _begun:
        child.redirect.remove()
    _begun.clear()
