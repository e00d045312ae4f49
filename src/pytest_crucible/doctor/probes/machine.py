"""The facts about this machine and the environment of the tests that the checks need.

A frozen value, so that tests can give each check a machine that is full, or lacks a package.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ...errors import CrucibleError
from ...server import folders
from ...server.remains import Remains, remains


@dataclass(frozen=True)
class Plugin:
    """A package that pytest loads by its entry point.

    Attributes:
        name: The distribution.
        files: Its Python files.
    """

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Machine:
    """The facts about this machine.

    Attributes:
        python: The interpreter's version.
        versions: The installed distributions' versions, by normalised name.
        requires: The requirements of each distribution, as in its metadata.
        plugins: The plugins that take part in every run of pytest.
        room: Free bytes in each folder that can hold a server's data directory; best first.
        cache: The folder of cluster images.
        cache_error: The reason why it cannot be used.
        cache_room: Free bytes there.
        descriptors: The number of files that a process may have open.
        root: True if this process is root.
        cpus: The number of workers that ``-n auto`` starts.
        remains: What the servers of dead supervisors have left.
    """

    python: str = "3.13.0"
    versions: Mapping[str, str] = field(default_factory=dict)
    requires: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()
    room: Mapping[str, int] = field(default_factory=dict)
    cache: str = ""
    cache_error: str = ""
    cache_room: int = 1 << 40
    descriptors: int = 1024
    root: bool = False
    cpus: int = 2
    remains: tuple[Remains, ...] = ()

    def has(self, *names: str) -> bool:
        """Return whether one of these distributions is installed."""
        return any(name in self.versions for name in names)

    def version(self, name: str) -> tuple[int, ...]:
        """Return the release of a distribution as numbers; empty if it is not installed."""
        return numbers(self.versions.get(name, ""))


def numbers(version: str) -> tuple[int, ...]:
    """Return ``2.1.9b1`` as ``(2, 1, 9)``, enough to compare releases; empty if *version* is invalid."""
    try:
        return Version(version).release
    except InvalidVersion:
        return ()


def here() -> Machine:
    """Return the facts about this machine, as it is now."""
    cache, error, room = _cache()
    installed = _installed()
    return Machine(
        python=platform.python_version(),
        versions={name: "".join(said.get_all("Version", ())) for name, (_, said) in installed.items()},
        requires={name: tuple(said.get_all("Requires-Dist", ())) for name, (_, said) in installed.items()},
        plugins=tuple(plugin for name, (one, _) in installed.items() for plugin in _plugin(name, one)),
        room={str(place): folders.free(place) for place in folders.places()},
        cache=cache,
        cache_error=error,
        cache_room=room,
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        root=os.geteuid() == 0,
        cpus=len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        remains=tuple(remains()),
    )


def _installed() -> dict[str, tuple[metadata.Distribution, metadata.PackageMetadata]]:
    """Return the installed distributions by normalised name.

    Of two with the same name, the imported one counts. One without a name is the rest of an uninstallation.
    """
    found: dict[str, tuple[metadata.Distribution, metadata.PackageMetadata]] = {}
    for distribution in metadata.distributions():
        said = distribution.metadata
        if "Name" in said:
            found.setdefault(canonicalize_name(said["Name"]), (distribution, said))
    return found


def _plugin(name: str, distribution: metadata.Distribution) -> Iterator[Plugin]:
    """Yield *distribution* if its entry points make it a plugin; it is not imported, since it may be broken."""
    if any(entry.group == "pytest11" for entry in distribution.entry_points):
        files = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
        yield Plugin(name, tuple(path for path in files if path.suffix == ".py"))


def _cache() -> tuple[str, str, int]:
    try:
        path = folders.image_folder(None)
        probe = path / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except (CrucibleError, OSError) as error:
        return str(folders.default_cache()), str(error), 0
    return str(path), "", shutil.disk_usage(path).free
