"""A container, started through testcontainers and used only by its supervisor.

The image's own entrypoint starts postgres, below a shell that ends it when its standard input ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
import docker.errors  # type: ignore[import-untyped]
import docker.types  # type: ignore[import-untyped]
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient

from pytest_crucible.server.supervisor import cleanup, nest

try:
    from testcontainers.community.postgres import PostgresContainer
except ImportError:  # before 4.15
    from testcontainers.postgres import PostgresContainer

LABEL = "pytest-crucible.nest"
DATA = "/crucible"
SECONDS = 120.0
POLL = 0.05
LOCAL = ("localhost", "127.0.0.1")
# $@ is the image's entrypoint and its command. If that ends by itself, the shell leaves time to read its log.
LIFELINE = """
exec 3<&0
"$@" </dev/null &
server=$!
{ cat <&3 >/dev/null; kill -QUIT "$server"; } &
lifeline=$!
exec 3<&-
wait "$server"
status=$?
kill -0 "$lifeline" 2>/dev/null && sleep 3
exit "$status"
"""


class ContainerFailed(Exception):
    """The container did not start; *word* names the reason."""

    def __init__(self, word: str, details: object) -> None:
        self.word = word
        self.details = str(details)
        super().__init__(word)


class Container:
    """A container in which PostgreSQL runs.

    Args:
        order: The image, the command of postgres, the superuser, the realm (see `realm`).
        nest: The folder of its supervisor.
    """

    def __init__(self, order: dict[str, Any], nest: str) -> None:
        self._order = order
        self._nest = nest
        self._log = f"{nest}/log"
        self._container: PostgresContainer | None = None
        self._ended = threading.Event()
        self._lifeline: object = None
        self._errors: list[Exception] = []

    def start(self) -> tuple[str, int]:
        """Start the container, and return the host and the port on which PostgreSQL answers.

        Raises:
            ContainerFailed: If it does not answer.
        """
        _configure()
        realm = realm_in(self._order["realm"])
        self._container = container = self._new()
        with contextlib.suppress(docker.errors.APIError):  # remains of other runs must not stop this one
            sweep(container.get_docker_client().client, realm)
        self._prepare(container, _entrypoint(container), f"{realm}:{self._nest}")
        threading.Thread(target=self._hold, args=(container,), daemon=True).start()
        self._start(container)
        host = container.get_container_host_ip()
        return "127.0.0.1" if host == "localhost" else host, container.get_exposed_port(container.port)

    def ended(self) -> bool:
        """Return whether the container's output has ended."""
        return self._ended.is_set()

    def end(self) -> None:
        """Remove the container, with its volumes."""
        if self._container is not None:
            with contextlib.suppress(docker.errors.APIError):  # the engine has removed it already
                self._container.stop()

    def log(self) -> str:
        """Return the last lines of PostgreSQL's log."""
        return "\n".join(cleanup.read(self._log).splitlines()[-20:])

    def _new(self) -> PostgresContainer:
        try:
            container = PostgresContainer(
                self._order["image"],
                username=self._order["user"],
                password=secrets.token_hex(16),
                dbname="postgres",
                driver=None,
            )
            container.get_docker_client().client.ping()
        except Exception as error:  # of docker, of requests, or of the socket
            raise ContainerFailed("engine", error) from error
        return container

    def _prepare(self, container: PostgresContainer, entrypoint: list[str], label: str) -> None:
        # The network is private to the engine or to this machine: every role may connect without a password, since
        # roles that an application's DDL creates must be able to.
        container.with_envs(
            POSTGRES_HOST_AUTH_METHOD="trust",
            POSTGRES_INITDB_ARGS="--no-sync --encoding=UTF8 --wal-segsize=1",
            PGDATA=f"{DATA}/data",
        )
        container.with_command(self._order["command"])
        container.with_kwargs(
            auto_remove=True,
            entrypoint=["sh", "-c", LIFELINE, "crucible", *entrypoint],
            labels={LABEL: label},
            mounts=[docker.types.Mount(DATA, None, type="tmpfs")],
            stdin_open=True,
        )
        if container.get_docker_client().host() in LOCAL:
            for port in container.ports:
                container.ports[port] = ("127.0.0.1",)  # type: ignore[assignment] # docker's own way to write it

    def _start(self, container: PostgresContainer) -> None:
        """Start the container in a thread, since testcontainers would wait for one that has ended already."""

        def start() -> None:
            try:
                container.start()
            except Exception as error:  # noqa: BLE001 - the thread that waits raises it
                self._errors.append(error)

        thread = threading.Thread(target=start, daemon=True)
        thread.start()
        while thread.is_alive() and not self.ended():
            thread.join(POLL / 5)
        if self.ended() or self._errors:
            error = self._errors[0] if self._errors else None
            raise ContainerFailed("slow" if isinstance(error, TimeoutError) else "died", error or "") from error

    def _hold(self, container: PostgresContainer) -> None:
        """Hold the container's input open, and log its output, until it ends."""
        try:
            wrapped = _created(container)
            self._lifeline = wrapped.attach_socket(params={"stdin": 1, "stream": 1})
            while wrapped.status == "created":  # its log would end at once
                time.sleep(POLL / 5)
                wrapped.reload()
            with Path(self._log).open("wb", buffering=0) as file:
                file.writelines(wrapped.logs(stream=True, follow=True))
        except Exception as error:  # noqa: BLE001 - the thread that waits for the start raises it
            self._errors.append(error)
        finally:
            self._ended.set()


def _configure() -> None:
    testcontainers_config.sleep_time = POLL
    testcontainers_config.max_tries = int(SECONDS / POLL)
    if hasattr(DockerClient, "create"):  # the container ends when the supervisor's end of its input is closed
        testcontainers_config.ryuk_disabled = True


def _created(container: PostgresContainer) -> Any:
    """Return the engine's view of the *container*, as soon as it exists."""
    while True:
        with contextlib.suppress(Exception):  # the error for a missing container depends on the version
            wrapped = container.get_wrapped_container()
            if wrapped is not None:
                return wrapped
        time.sleep(POLL / 5)


def _entrypoint(container: PostgresContainer) -> list[str]:
    """Return the entrypoint of the container's image, which is pulled if it is missing."""
    images = container.get_docker_client().client.images
    try:
        try:
            image = images.get(container.image)
        except docker.errors.ImageNotFound:
            image = images.pull(container.image)
    except docker.errors.DockerException as error:
        raise ContainerFailed("image", error) from error
    return list(image.attrs["Config"].get("Entrypoint") or ())


def realm_in(path: str) -> str:
    """Return the name of the realm in the file *path*: the processes that share the locks in one folder.

    The first of them makes the name. An engine may serve several machines, and containers with their own folders, of
    which no process here can tell whether they are alive.
    """
    if not cleanup.read(path):
        new = f"{path}.{os.getpid()}"
        Path(new).write_text(secrets.token_hex(8), "utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
        Path(new).unlink()
    return cleanup.read(path)


def sweep(client: docker.DockerClient, realm: str) -> None:
    """Remove the containers of this *realm* whose supervisors are dead."""
    for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
        owner, _, path = container.labels[LABEL].partition(":")
        if owner == realm and not nest.owned(path):
            with contextlib.suppress(docker.errors.APIError):  # it is being removed
                container.remove(force=True, v=True)
