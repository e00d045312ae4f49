"""Questions to the user on the terminal, and the answers of a run without questions."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..errors import UsageError


class Questions:
    """Questions to the user on the terminal.

    Args:
        yes: True to answer every question with yes and the first choice.
        dry_run: The same, since nothing will be written.

    Raises:
        UsageError: If there are questions to ask, and the input is not a terminal.
    """

    def __init__(self, *, yes: bool, dry_run: bool) -> None:
        self._known: dict[str, str] = {}
        self.answered = "--yes" if yes else "--dry-run" if dry_run else ""
        if not self.answered and not sys.stdin.isatty():
            raise UsageError(
                "crucible init asks before it writes, and its input is not a terminal.",
                why="It probably runs in a script, in a pipe or in continuous integration.",
                do="Add --yes to answer every question with yes and the first choice, or --dry-run to see only the"
                " diff.",
            )

    def choose(self, what: str, choices: Sequence[str]) -> int:
        """Return the index of the user's choice; a single choice, or one that was made before, is not asked for.

        Args:
            what: The heading, as in "Several applications".
            choices: A line for each choice, the most likely first.
        """
        if len(choices) == 1:
            return 0
        if self._known.get(what) in choices:
            return choices.index(self._known[what])
        chosen = self._choose(what, choices)
        self._known[what] = choices[chosen]
        return chosen

    def _choose(self, what: str, choices: Sequence[str]) -> int:
        print(f"{what}:")
        for number, choice in enumerate(choices, 1):
            print(f"  {number}. {choice}")
        if self.answered:
            print(f"  {self.answered} takes the first.")
            return 0
        while True:
            answer = input(f"Which? [1-{len(choices)}, 1] ").strip() or "1"
            if answer.isdecimal() and 1 <= int(answer) <= len(choices):
                return int(answer) - 1

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Return the answer to a yes-or-no question; an empty answer means *default*."""
        if self.answered:
            return True
        while True:
            answer = input(f"{question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
            if answer in ("", "n", "no", "y", "yes"):
                return answer.startswith("y") or (not answer and default)
