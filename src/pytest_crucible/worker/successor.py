"""The successor of a worker database: its next clone, made in the background before it is needed.

It waits under a name of its own, complete and without connections. When it takes the place of the worker database it
gets that name, so every URL that was given out stays valid; the old database gets another name, and is dropped in the
background before the next successor is made.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from ..control import Admin, templates
from ..control.database_names import process_of
from ..control.driver import psycopg
from ..control.templates import Template
from ..redirect import forks
from ..server.folders import LEAST

# A template that is larger is cloned only when the clone is needed.
LARGEST = 256 << 20


class Successor:
    """The next clone of one worker database.

    Args:
        database: The name of the worker database.
        names: Names that no database has.
    """

    def __init__(self, database: str, names: Iterator[str]) -> None:
        self._database = database
        self._names = names
        # One thread for all successors: a test may count the threads around it.
        self._thread = forks.Background("crucible-successor", self._run, self._wake)
        self._changed = threading.Condition()
        self._is_wanted = self._is_leaving = False
        self._template: Template | None = None
        self._made = ""
        self._old: list[str] = []
        self._main: Admin | None = None
        self._admin: Admin | None = None
        self._sizes: dict[str, int | None] = {}
        self._is_over = False

    def prepare(self, admin: Admin, template: Template) -> None:
        """Clone *template* in the background, unless a clone is there; *admin* is for this thread."""
        if self._template is None and not self._is_over:
            self._main, self._template = admin, template
            self._thread.start()
            self._note(wanted=True)

    def take_place(self, admin: Admin, template: Template) -> bool:
        """Replace the worker database, whose sessions end, by its successor.

        Returns:
            False if there is no successor that was made from *template*.

        Raises:
            ServerError: If the worker database lacks Crucible's mark.
        """
        self.wait()
        made, self._made = self._made, ""
        source, self._template = self._template, None
        if made and source is not template:
            admin.drop(made)
        if not made or source is not template:
            return False
        old = next(self._names)
        try:
            self._old += [old] if admin.exchange(self._database, made, old) else []
        except psycopg.errors.InvalidCatalogName:  # another client has dropped it
            return False
        return True

    def wait(self) -> None:
        """Wait until no successor is being made."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_wanted)

    def leave_to_parent(self) -> None:
        """Leave everything to the parent, in a forked child."""
        forks.INHERITED.append(self._admin)
        self._admin, self._is_over = None, True
        self._changed, self._is_wanted = threading.Condition(), False

    def end(self) -> None:
        """Make no other successor; the caller drops what is there."""
        self._is_over = True
        if self._admin is not None:
            self._admin.cancel()
        self._note()
        # However long that takes: the server would finish a clone whose client has gone, after the others are dropped.
        self._thread.wait()
        if self._admin is not None:
            self._admin.close()

    # -- in the background -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Make successors until the end, or the next fork."""
        while self._is_asked():
            self._work()
            self._note(wanted=False)

    def _is_asked(self) -> bool:
        """Wait until a successor is wanted; return False if the thread shall end instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_wanted or self._is_leaving or self._is_over)
            ends, self._is_leaving = self._is_leaving or self._is_over, False
            return not ends

    def _wake(self) -> None:
        """Have the thread end before a fork; another one goes on after it."""
        self._note(leaving=True)

    def _note(self, *, wanted: bool | None = None, leaving: bool = False) -> None:
        with self._changed:
            self._is_wanted = self._is_wanted if wanted is None else wanted
            self._is_leaving = self._is_leaving or leaving
            self._changed.notify_all()

    def _work(self) -> None:
        """Make the successor; after an error, fresh clones are made when they are needed."""
        try:
            if self._template is not None and self._main is not None and not self._made:
                self._made = self._make(self._template, self._main)
        except Exception:  # noqa: BLE001 - whatever it is, the clone that is needed meets it again
            self._is_over = True

    def _make(self, template: Template, main: Admin) -> str:
        if self._admin is None:
            self._admin = main.beside()
            self._admin.live(process_of(self._database))
        while self._old:
            self._admin.drop(self._old.pop())
        if self._is_over or not self._fits(template, self._admin):
            return ""
        name = next(self._names)
        templates.clone(self._admin, template, name)
        return name

    def _fits(self, template: Template, admin: Admin) -> bool:
        """Return whether a second clone of *template* may take room on the server's disk."""
        if template.name not in self._sizes:
            self._sizes[template.name] = admin.size(template.name)
        size, room = self._sizes[template.name], admin.room()
        return size is not None and size <= LARGEST and (room is None or room >= size + LEAST)
