"""The names of the databases that Crucible creates.

Every name begins with ``crucible_`` and its kind, so that collection recognises Crucible's databases and drops no
others. It is lower case, since unquoted names fold to lower case in every shell they are pasted into. It has at most
63 bytes, since PostgreSQL silently truncates longer names.

::

    crucible_t_<project>_<fingerprint>                template
    crucible_w_<project>_<run>_<worker>_<generation>  worker database
    crucible_k_<test>[_<database>]_<hash>_<run>       kept failure

Only the first field is free text, shortened to what is left of the 63 bytes; the label of a project ends in a hash if
it had to be changed. It may hold underscores; the other fields hold letters and digits only, so `parse` reads from the
end.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal, NamedTuple

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


class Name(NamedTuple):
    """The parts of a database name of Crucible.

    Attributes:
        kind: The kind of database.
        label: The project, or the test of a kept failure; shortened.
        run: The run that made it; empty for a template, which belongs to no run.
        fingerprint: The fingerprint of a template.
        worker: The worker of a worker database: ``gw0x1a2b3c4d``, ``mainx1a2b3c4d`` without workers. Each process
            draws the digits: names of workers and numbers of processes and runs may coincide on several machines.
        generation: The number of worker databases that the same worker made before it.
    """

    kind: Kind
    label: str
    run: str = ""
    fingerprint: str = ""
    worker: str = ""
    generation: int = 0

    @property
    def process(self) -> str:
        """The key that the process of this worker database holds for as long as it lives."""
        return f"{self.run} {self.worker}"


class WorkerNames(NamedTuple):
    """The names of the databases of one worker process.

    Attributes:
        project: The label of the project, or of one of its databases.
        run: The name of the run.
        worker: The name of the worker.
    """

    project: str
    run: str
    worker: str

    def at(self, generation: int) -> str:
        """Return the name of the database with this *generation*."""
        return worker(self.project, self.run, self.worker, generation)


def template(project: str, fingerprint: str) -> str:
    """Return the name of the template of *project* with this *fingerprint*, of which it has 16 digits."""
    digits = fingerprint[:16]
    token = digits if re.fullmatch(f"{DIGITS}{{16}}", digits) else _hash(fingerprint, 16)
    return _join("template", token, project=project)


def worker(project: str, run: str, worker: str, generation: int) -> str:
    """Return the name of a worker database: of *run*, the worker process (``gw0``, ``main``), its *generation*."""
    return _join("worker", _token(run), _token(worker), str(generation), project=project)


def kept(test: str, run: str, database: str = "") -> str:
    """Return the name under which the *database* of a failed *test* (its node id) is kept."""
    which = f"_{label(database, 2 * HASH)}" if database else ""
    tail = f"{which}_{_hash(test)}_{_token(run)}"
    head = f"{PREFIX}{LETTERS['kept']}_"
    text = _clean(test.rpartition("::")[2])[: LIMIT - len(head) - len(tail)].strip("_")
    return head + (text or "test") + tail


def parse(name: str) -> Name | None:
    """Return the parts of a name of Crucible's; None for any other name."""
    for kind, letter in LETTERS.items():
        match = re.fullmatch(f"{PREFIX}{letter}_{PATTERNS[kind]}", name)
        if match and len(name) <= LIMIT:
            fields = match.groupdict()
            generation = int(fields.pop("generation", "0"))
            return Name(kind, generation=generation, **fields)
    return None


def process_of(name: str) -> str:
    """Return the key of the process of the worker database *name*; empty if *name* is no worker database."""
    parsed = parse(name)
    return parsed.process if parsed and parsed.kind == "worker" else ""


def project_label(root: Path, database: str | None = None) -> str:
    """Return the label of the project at *root*, or of one of its databases."""
    return label(root.name if database is None else f"{root.name}_{database}", 24)


def label(text: str, limit: int = LIMIT) -> str:
    """Return *text* as a part of a name: letters, digits and underscores, at most *limit* of them.

    If anything had to be changed, it ends in a hash of the whole text, so that different texts get different labels.
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
    """Return *text* as a field without underscores, short enough that the label keeps its hash."""
    if re.fullmatch(TOKEN, text) and len(text) <= 2 * HASH:
        return text
    return _hash(text)


def _hash(text: str, length: int = HASH) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
