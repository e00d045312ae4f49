"""The virtual environments in which `peers.py` runs its sides: one for each set of packages, kept in a cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from peers_sides import ENVIRONMENTS

FREEZE = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
# py-pglite installs the packages of Node when it first starts in a folder.
PGLITE = """
import sys
from pathlib import Path
from py_pglite import PGliteConfig, PGliteManager

manager = PGliteManager(PGliteConfig(work_dir=Path(sys.argv[1])))
manager.start()
manager.stop()
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        python: Its interpreter.
        node: The folder with the packages of Node.
    """

    python: Path
    node: Path

    def versions(self) -> dict[str, str]:
        """Return the version of each package in it."""
        done = subprocess.run([self.python, "-c", FREEZE], capture_output=True, text=True, check=True)
        return dict(sorted(json.loads(done.stdout).items(), key=lambda item: item[0].lower()))


def cache() -> Path:
    """Return the folder of the environments."""
    return Path(os.environ.get("PEERS_CACHE") or Path.home() / ".cache" / "pytest-crucible-peers")


def environment(name: str) -> Environment:
    """Return the environment of this name, which is made if there is none with these packages."""
    packages = ENVIRONMENTS[name]
    key = hashlib.sha256(repr((sys.version, packages)).encode()).hexdigest()[:8]
    folder = cache() / f"{name}-{key}"
    found = Environment(folder / "bin" / "python", folder / "node")
    if not (folder / "made").exists():
        print(f"installing {name} into {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([found.python, "-m", "pip", "install", "--quiet", *packages], check=True)
        if name == "py-pglite":
            subprocess.run([found.python, "-c", PGLITE, found.node], check=True)
        (folder / "made").touch()
    return found
