"""The names of the databases that Crucible creates.

Every name begins with ``crucible_`` and its kind, so that collection recognises its own and drops nothing
else; is lower case, since an unquoted name folds to it in whatever shell it is pasted into; and has at most
63 bytes, since PostgreSQL cuts what is longer, silently.

::

    crucible_t_<project>_<fingerprint>                template
    crucible_w_<project>_<run>_<worker>_<generation>  worker database
    crucible_k_<test>[_<database>]_<hash>_<run>       kept failure

Only the first field is free text, shortened to what is left of the 63 bytes; a project's ends in a hash
where it had to be changed. It may hold underscores; the others hold letters and digits only, so that `parse`
reads from the end.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

PREFIX = "crucible_"
LIMIT = 63
HASH = 8

Kind = Literal["template", "worker", "kept"]
LETTERS: dict[Kind, str] = {"template": "t", "worker": "w", "kept": "k"}
TOKEN = r"[a-z0-9]+"  # noqa: S105 - a pattern, not a secret
LABEL = r"(?P<label>[a-z0-9_]+)"
DIGITS = "[0-9a-f]"
PATTERNS: dict[Kind, str] = {
    "template": rf"{LABEL}_(?P<fingerprint>{DIGITS}{{16}})",
    "worker": rf"{LABEL}_(?P<run>{TOKEN})_(?P<worker>{TOKEN})_(?P<generation>[0-9]+)",
    "kept": rf"{LABEL}_{DIGITS}{{8}}_(?P<run>{TOKEN})",
}


@dataclass(frozen=True, slots=True)
class Name:
    """A name of ours, taken apart.

    Attributes:
        kind: What the database is.
        label: Whose it is: the project, or of a kept failure the test; shortened.
        run: The run that made it; empty for a template, which belongs to none.
        fingerprint: Of a template.
        worker: Of a worker database: ``gw0x1a2b3c4d``, ``mainx1a2b3c4d`` without workers. The digits are drawn by
            each process: names of workers, numbers of processes and of runs may be the same on several machines.
        generation: Of a worker database: how many were made before it in the same worker.
    """

    kind: Kind
    label: str
    run: str = ""
    fingerprint: str = ""
    worker: str = ""
    generation: int = 0

    @property
    def process(self) -> str:
        """The key that the process holds for as long as it lives whose worker database this is."""
        return f"{self.run} {self.worker}"


def template(project: str, fingerprint: str) -> str:
    """The name of the template of *project* with this *fingerprint* (its first 16 digits stand in the name)."""
    digits = fingerprint[:16]
    token = digits if re.fullmatch(f"{DIGITS}{{16}}", digits) else _hash(fingerprint, 16)
    return _join("template", token, project=project)


def worker(project: str, run: str, worker: str, generation: int) -> str:
    """The name of a worker database: of *run*, of the worker process (``gw0``, ``main``), of its *generation*."""
    return _join("worker", _token(run), _token(worker), str(generation), project=project)


def kept(test: str, run: str, database: str = "") -> str:
    """The name under which the *database* of a failed *test* (its node id) is kept."""
    which = f"_{label(database, 2 * HASH)}" if database else ""
    tail = f"{which}_{_hash(test)}_{_token(run)}"
    head = f"{PREFIX}{LETTERS['kept']}_"
    text = _clean(test.rpartition("::")[2])[: LIMIT - len(head) - len(tail)].strip("_")
    return head + (text or "test") + tail


def parse(name: str) -> Name | None:
    """Take one of our names apart; None where it is not ours."""
    for kind, letter in LETTERS.items():
        match = re.fullmatch(f"{PREFIX}{letter}_{PATTERNS[kind]}", name)
        if match and len(name) <= LIMIT:
            fields = match.groupdict()
            generation = int(fields.pop("generation", "0"))
            return Name(kind, generation=generation, **fields)
    return None


def process_of(name: str) -> str:
    """The key of the process whose worker database *name* is; empty where it is none."""
    parsed = parse(name)
    return parsed.process if parsed and parsed.kind == "worker" else ""


def label(text: str, limit: int = LIMIT) -> str:
    """*text* as a part of a name: letters, digits and underscores, at most *limit* of them.

    Where anything was changed, a hash of the whole text stands at the end: different texts, different labels.
    """
    clean = _clean(text)
    if clean == text and 0 < len(clean) <= limit:
        return clean
    return "_".join(filter(None, [clean[: max(0, limit - HASH - 1)].strip("_"), _hash(text)]))


def _join(kind: Kind, *tokens: str, project: str) -> str:
    head, tail = f"{PREFIX}{LETTERS[kind]}_", "_" + "_".join(tokens)
    return head + label(project, LIMIT - len(head) - len(tail)) + tail


def _clean(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _token(text: str) -> str:
    """A field without underscores, short enough that the label keeps its hash."""
    if re.fullmatch(TOKEN, text) and len(text) <= 2 * HASH:
        return text
    return _hash(text)


def _hash(text: str, length: int = HASH) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
