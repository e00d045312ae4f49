"""Questions to whoever runs the command, and what is answered where nobody is asked."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..errors import UsageError


class Questions:
    """Ask on the terminal.

    Args:
        yes: Answer every question: the first choice, and yes.
        dry_run: The same, since nothing is going to be written.

    Raises:
        UsageError: If somebody had to be asked and nobody is there.
    """

    def __init__(self, *, yes: bool, dry_run: bool) -> None:
        self.answered = "--yes" if yes else "--dry-run" if dry_run else ""
        if not self.answered and not sys.stdin.isatty():
            raise UsageError(
                "crucible init asks before it writes, and its input is not a terminal.",
                why="Probably it runs in a script, in a pipe or in continuous integration.",
                do="Add --yes to have every question answered with yes and its first choice, or --dry-run to see only"
                " what it would write.",
            )

    def choose(self, what: str, choices: Sequence[str]) -> int:
        """The index of one of *choices*; the only one is not asked for.

        Args:
            what: What there are several of, as in "Several applications".
            choices: One line each, the likeliest first.
        """
        if len(choices) == 1:
            return 0
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

    def confirm(self, question: str) -> bool:
        """Yes or no; no where the answer is empty."""
        if self.answered:
            return True
        while True:
            answer = input(f"{question} [y/N] ").strip().lower()
            if answer in ("", "n", "no"):
                return False
            if answer in ("y", "yes"):
                return True
