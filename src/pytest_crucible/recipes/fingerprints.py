"""Fingerprints: stable numbers for the parts that shape a template.

A template is kept between runs under its fingerprint: everything that can change the template's content must be in it,
or a change goes unnoticed. The recipes collect the parts; this module turns them into a number.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from ..errors import UsageError

Loader = TypeVar("Loader", bound=Callable[..., object])

READS = "__crucible_reads__"


def fingerprint(parts: Mapping[str, bytes | str]) -> str:
    """Return the SHA-256 of named *parts*, in hexadecimal digits.

    The order of the parts does not count. Each name and value is hashed with its length, so that text that moves from
    one part to its neighbour changes the fingerprint.
    """
    digest = hashlib.sha256()
    for name in sorted(parts):
        for text in (name, parts[name]):
            data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
    return digest.hexdigest()


def files(root: Path, patterns: Iterable[str]) -> dict[str, bytes]:
    """Return the digest of each file that *patterns* name, by its name relative to *root*.

    Args:
        root: The project's root folder.
        patterns: Files, folders (everything in them) and globs (``**`` crosses folders), relative to *root*.

    Raises:
        UsageError: If a pattern matches no file: a fingerprint of nothing would never change.
    """
    paths = {path for pattern in patterns for path in _matches(root, pattern)}
    return {Path(os.path.relpath(path, root)).as_posix(): digest(path) for path in paths}


def digest(file: Path) -> bytes:
    """Return the SHA-256 of the contents of *file*."""
    whole = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(1 << 20):
            whole.update(chunk)
    return whole.digest()


def of_environment(patterns: Iterable[str]) -> dict[str, str]:
    """Return the value of each variable that *patterns* name as ``$NAME``; "" for one that is not set."""
    return {name: os.environ.get(name[1:], "") for name in patterns if name.startswith("$")}


def of_module_source(function: Callable[..., object]) -> str:
    """Return the fingerprint of the module in which *function* is defined, without the modules that it imports.

    The whole module counts, since the function calls its neighbours. Of a function without a file (built in, or typed
    into a prompt), only the name counts.
    """
    function = innermost(function)
    name = f"{function.__module__}:{getattr(function, '__qualname__', type(function).__qualname__)}"
    return fingerprint({"name": name, "source": _source(function)})


def reads(*patterns: str) -> Callable[[Loader], Loader]:
    """Declare what a callable of ``crucible_load`` or ``crucible_schema`` reads; a change builds a new template.

    ::

        @pytest_crucible.reads("tests/data/*.csv", "$SEED_SIZE")
        async def load(session): ...

    Args:
        *patterns: Files, folders and globs, relative to the project's root folder; with ``$`` before it the name of an
            environment variable.
    """

    def declare(loader: Loader) -> Loader:
        setattr(loader, READS, (*declared(loader), *patterns))
        return loader

    return declare


def declared(loader: Callable[..., object]) -> tuple[str, ...]:
    """Return the patterns that `reads` declared for *loader*."""
    return tuple(getattr(loader, READS, ()))


def _matches(root: Path, pattern: str) -> list[Path]:
    # Path.glob takes no absolute pattern, and a template may depend on a file outside the project.
    matches = [Path(root, name) for name in glob.glob(pattern, root_dir=root, recursive=True)]  # noqa: PTH207
    inside = [path for folder in matches if folder.is_dir() for path in folder.rglob("*")]
    # Compiled modules change with the interpreter, even if their sources do not.
    files = [path for path in matches + inside if path.is_file() and path.suffix != ".pyc"]
    if files:
        return files
    raise UsageError(
        f"No file matches {pattern!r} in {root}.",
        why="A template is rebuilt when the files that shaped it change; a pattern without files never changes.",
        do="Correct the pattern: it is relative to the project's root folder, and ** crosses folders. An environment"
        " variable is written $NAME.",
    )


def innermost(function: Callable[..., object]) -> Callable[..., object]:
    """Return the function inside *function*, without ``functools.partial`` and ``functools.wraps``."""
    while isinstance(function, functools.partial):
        function = function.func
    unwrapped: Callable[..., object] = inspect.unwrap(function)
    return unwrapped


def _source(function: Callable[..., object]) -> bytes:
    """Return the text of the file that defines the function, or the class of a callable object."""
    definition = function if inspect.isroutine(function) or inspect.isclass(function) else type(function)
    try:
        file = inspect.getsourcefile(definition)
    except TypeError:  # built in
        return b""
    return Path(file).read_bytes() if file and Path(file).is_file() else b""
