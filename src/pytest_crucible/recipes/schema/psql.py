r"""SQL scripts, run by psql: it knows where a statement ends, and the lines of data below ``COPY … FROM stdin``.

psql is restricted to SQL: its backslash commands run programs, read files that no fingerprint knows, and lead to other
databases. Each script has settings of its own: pg_dump's empty ``search_path`` ends with its script.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL, PIPE
from tempfile import TemporaryDirectory

import psycopg
from psycopg.conninfo import make_conninfo

from ...server.embedded.binaries import psql
from .psql_errors import END_FILE, PsqlError, error_in
from .scripts import Script

VARIABLES = {"ON_ERROR_STOP": "1", "VERBOSITY": "verbose", "ECHO": "errors"}
END = b"DISCARD ALL;\n"


def run(scripts: Sequence[Script], info: psycopg.ConnectionInfo) -> PsqlError | None:
    """Run *scripts* in the database that *info* describes, and return the error that ended psql, if any."""
    with TemporaryDirectory(prefix="crucible-schema-") as folder:
        files: dict[str, Script] = {}
        for number, script in enumerate(scripts):
            files |= {f"{number}.sql": script, f"{number}{END_FILE}": replace(script, text=END)}
        for name, script in files.items():
            Path(folder, name).write_bytes(script.text)
        command, environment = _command(list(files), info), _environment(info)
        try:
            result = subprocess.run(
                command, cwd=folder, env=environment, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, check=False
            )
        except OSError as error:
            return PsqlError(str(error))
    return error_in(result.stderr.decode("utf-8", "replace"), files) if result.returncode else None


def _command(files: Sequence[str], info: psycopg.ConnectionInfo) -> list[str]:
    words = [psql(), "--no-psqlrc", "--quiet", "--no-password"]
    words += [word for name, value in VARIABLES.items() for word in ("--set", f"{name}={value}")]
    words += ["--command", rf"\restrict {secrets.token_hex(16)}"]
    words += [word for name in files for word in ("--file", name)]
    return [*words, make_conninfo(**info.get_parameters())]


def _environment(info: psycopg.ConnectionInfo) -> dict[str, str]:
    """Return the environment without the variables of libpq, and with the password: others see arguments."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "PGPASSWORD": info.password, "LC_MESSAGES": "C", "LANGUAGE": "C"}
