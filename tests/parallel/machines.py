"""Several machines and one PostgreSQL server that all of them reach.

Where it is allowed (as root, with iproute2), a machine is a network namespace with an address of its own on a bridge,
with process numbers of its own from 1 on, and the same name as the others, as in the containers of a CI service. The
machine's own network is left as it is. Elsewhere it is a process with a home, a cache and temporary files of its own.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psycopg

BINARIES = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin"))) + [
    str(Path(found).parent) for found in [shutil.which("initdb")] if found
]
NETWORK = "10.213.0"
SETTINGS = "-c fsync=off -c max_connections=60 -c log_statement=ddl"


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


class Network:
    """Namespaces on a bridge, or nothing of the kind."""

    def __init__(self, machines: int) -> None:
        self.name = f"cru{secrets.token_hex(3)}"
        self._made: list[str] = []
        self.real = self._make(machines)

    def _make(self, machines: int) -> bool:
        try:
            self._namespace(self.hub)
            self._in(
                self.hub, "ip link add br0 type bridge", f"ip addr add {NETWORK}.1/24 dev br0", "ip link set br0 up"
            )
            for number in range(1, machines + 1):
                self._join(number)
        except (OSError, subprocess.CalledProcessError):
            self.remove()
            return False
        return True

    @property
    def hub(self) -> str:
        return f"{self.name}-hub"

    @property
    def server_address(self) -> str:
        return f"{NETWORK}.1" if self.real else "127.0.0.1"

    def inside(self, number: int) -> list[str]:
        """Return what runs a command on machine *number*."""
        if not self.real:
            return []
        return [
            *("ip", "netns", "exec", f"{self.name}-{number}"),
            *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"),
            *("sh", "-c", 'hostname runner; exec "$@"', "sh"),
        ]

    def at_server(self) -> list[str]:
        return ["ip", "netns", "exec", self.hub] if self.real else []

    def remove(self) -> None:
        for name in self._made:
            with suppress(subprocess.CalledProcessError, OSError):
                _run("ip", "netns", "delete", name)
        self._made.clear()

    def _namespace(self, name: str) -> None:
        _run("ip", "netns", "add", name)
        self._made.append(name)
        _run("ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")

    def _join(self, number: int) -> None:
        name = f"{self.name}-{number}"
        self._namespace(name)
        self._in(
            self.hub,
            f"ip link add to{number} type veth peer name eth0 netns {name}",
            f"ip link set to{number} master br0",
            f"ip link set to{number} up",
        )
        self._in(name, f"ip addr add {NETWORK}.{number + 1}/24 dev eth0", "ip link set eth0 up")

    def _in(self, name: str, *commands: str) -> None:
        for command in commands:
            _run("ip", "netns", "exec", name, *command.split())


class Server:
    """A PostgreSQL server of the machine's own, which logs each CREATE and DROP."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.folder, self._network = folder, network
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        with (folder / "data" / "pg_hba.conf").open("a") as file:
            file.write("host all all 0.0.0.0/0 trust\n")
        self.port = 5499
        listen = f"-c listen_addresses={network.server_address} -c unix_socket_directories={folder}"
        options = f"{SETTINGS} -c port={self.port} {listen}"
        self._run("pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
        self.execute("CREATE ROLE ci LOGIN CREATEDB")

    @property
    def url(self) -> str:
        return f"postgresql://ci@{self._network.server_address}:{self.port}/postgres"

    def execute(self, query: str) -> list[tuple]:
        with psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def databases(self) -> set[str]:
        return {name for (name,) in self.execute("SELECT datname FROM pg_database WHERE datname LIKE 'crucible%'")}

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        words = [f"{BINARIES[0]}/{program}", *arguments]
        if os.geteuid() == 0:  # which initdb refuses
            words = ["su", "postgres", "-s", "/bin/sh", "-c", shlex.join(words)]
        words = [*self._network.at_server(), *words]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


class Machine:
    """One machine with a checkout of the project.

    Args:
        network: Where it is.
        number: Which one, from 1.
        home: Its folder.
        checkout: The folder of the project there.
        environment: What every machine has.
    """

    def __init__(self, network: Network, number: int, home: Path, checkout: Path, environment: dict[str, str]) -> None:
        self._inside = network.inside(number)
        self.checkout = checkout
        own = {"HOME": home, "TMPDIR": home / "tmp", "XDG_CACHE_HOME": home / "cache", "USER": f"runner{number}"}
        (home / "tmp").mkdir()
        self._environment = environment | {name: str(value) for name, value in own.items()}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start pytest there."""
        words = [*self._inside, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.checkout, env=self._environment
        )
