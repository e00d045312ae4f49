"""One option: its names, and the reading of its value from a flag, the environment or a file."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Literal, NamedTuple

from ..errors import UsageError
from ..errors.masking import mask
from .checks import word

TRUTHS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

Kind = Literal["string", "list", "bool", "int"]
Value = str | tuple[str, ...] | int | None


class Option(NamedTuple):  # not a dataclass, whose import takes five times as long, in every run of pytest
    """One option, declared once.

    Attributes:
        name: The key in the configuration file, ``crucible_app``.
        kind: The type of its value.
        default: The value if the user sets none.
        metavar: The example of a value in ``pytest --help`` and the docs.
        help: One line, a noun phrase.
        check: Called with each string of the value and the place that it came from; returns the value to use.
        may_be_string: Whether one string may stand for a list of one in TOML.
    """

    name: str
    kind: Kind
    default: Value
    metavar: str
    help: str
    check: Callable[[str, str], str] = word
    may_be_string: bool = False

    @property
    def field(self) -> str:
        """The attribute of `Settings`: ``app``."""
        return self.name.removeprefix("crucible_")

    @property
    def flag(self) -> str:
        """The command-line flag: ``--crucible-app``."""
        return "--" + self.name.replace("_", "-")

    @property
    def env(self) -> str:
        """The environment variable: ``CRUCIBLE_APP``."""
        return self.name.upper()

    def source(self, kind: str) -> str:
        """Return the place that a value came from, in words."""
        return {"flag": f"flag {self.flag}", "environment": f"environment {self.env}"}.get(kind, "configuration file")

    def read(self, value: object, kind: str) -> Value:
        """Return the checked *value*, which comes from a ``"flag"``, the ``"environment"`` or the ``"file"``."""
        place = f"{self.name} ({self.source(kind)})"
        if self.kind == "list":
            return tuple(self.check(item, place) for item in self._items(value, kind, place))
        if self.kind == "bool":
            return self._truth(value, place)
        if value == "":
            return self.default
        if self.kind == "int":
            return self._integer(value, place)
        if isinstance(value, str):
            return self.check(value, place)
        raise self._wrong(value, place, "one string")

    def _items(self, value: object, kind: str, place: str) -> list[str]:
        if isinstance(value, str):
            return self._split(value, place)
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise self._wrong(value, place, "a list of strings")
        if kind == "flag":
            return [word for item in value for word in self._split(item, place)]
        return list(value)

    def _split(self, text: str, place: str) -> list[str]:
        try:
            return shlex.split(text)
        except ValueError as error:
            raise UsageError(
                f"{place}: {mask(repr(text))} cannot be split into words: {error}.",
                why="A list in one string is split as a shell does it.",
                do="Close the quotes.",
            ) from error

    def _truth(self, value: object, place: str) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in TRUTHS:
            return TRUTHS[value.strip().lower()]
        raise self._wrong(value, place, "yes or no (1, true, yes, on; 0, false, no, off)")

    def _integer(self, value: object, place: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value.strip()):
            return int(value)
        raise self._wrong(value, place, "an integer")

    def unreadable(self, error: str, *, is_ini: bool) -> UsageError:
        """Return the error for a value that pytest could not read from the configuration file: pytest's *error*."""
        value = self.in_ini() if is_ini else self.metavar
        return UsageError(
            f"{self.name} ({self.source('file')}): {error.rstrip('.')}.",
            why="The option takes another type of value.",
            do=f"Write {self.name} = {value}",
        )

    def in_ini(self) -> str:
        """Return `metavar` as it is written in pytest.ini, tox.ini and setup.cfg."""
        value = json.loads(self.metavar)
        return shlex.join(value) if isinstance(value, list) else str(value).lower() if value is True else str(value)

    def _wrong(self, value: object, place: str, wanted: str) -> UsageError:
        return UsageError(f"{place}: {mask(repr(value))} is not {wanted}.", do=f"Write {self.metavar}.")
