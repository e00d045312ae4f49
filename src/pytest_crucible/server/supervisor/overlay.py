"""Control files of extensions as an ordinary role needs them.

PostgreSQL 18 looks for extensions along ``extension_control_path``. The overlay is a folder on that path in which each
bundled extension is marked ``trusted``, so that a migration's ``CREATE EXTENSION`` works for a role that is no
superuser, as it does at hosted PostgreSQL. Scripts and libraries stay where they are.

The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import os


def write(overlay: str, bundled: str, own: str) -> None:
    """Write *overlay*/extension: the control files of *bundled*, trusted, and the files of *own* unchanged.

    A bundled extension wins over one of Crucible's own.
    """
    folder = f"{overlay}/extension"
    os.makedirs(folder, mode=0o755)
    names = os.listdir(bundled)
    for name in names:
        if name.endswith(".control"):
            _write_file(f"{folder}/{name}", trusted(_read(f"{bundled}/{name}"), bundled))
    for name in os.listdir(own):
        if f"{name.partition('--')[0].removesuffix('.control')}.control" not in names:
            _write_file(f"{folder}/{name}", _read(f"{own}/{name}"))


def trusted(control: str, scripts: str) -> str:
    """Return the *control* file with ``trusted = true`` and the folder of its *scripts*."""
    kept = [line for line in control.splitlines() if line.partition("=")[0].strip() not in ("trusted", "directory")]
    quoted = scripts.replace("'", "''")
    return "\n".join([*kept, "trusted = true", f"directory = '{quoted}'", ""])


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _write_file(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)
