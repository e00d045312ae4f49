"""A container: how it is started, who shares it, and that nothing of it stays."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from pytest_crucible.errors import ServerError
from pytest_crucible.server import lease
from pytest_crucible.server.folders import own, short

from .conftest import LABEL, containers, engine, gone, inspected

pytestmark = pytest.mark.container


def value(held, query):
    with psycopg.connect(**held.admin.libpq()) as connection:
        return connection.execute(query).fetchone()[0]


def supervisors() -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "supervisor.container import main" in " ".join(process.info["cmdline"] or [])
    ]


def test_settings_for_speed(take):
    """A server in a container does not wait for a disk, and its data lies in memory."""
    held = take()
    assert (held.kind, held.owned, held.admin.user) == ("container", True, "crucible_admin")
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
        assert value(held, f"SHOW {setting}") == "off"
    assert int(value(held, "SHOW max_connections")) >= 200
    assert value(held, "SHOW data_directory") == "/crucible/data"
    [mount] = [mount for mount in inspected(containers()[0])["Mounts"] if mount["Destination"] == "/crucible"]
    assert mount["Type"] == "tmpfs"


def test_it_listens_on_this_machine_only(take):
    """The port, on which no password is asked, is published on the loopback address alone."""
    held = take()
    [ports] = inspected(containers()[0])["NetworkSettings"]["Ports"].values()
    assert ports == [{"HostIp": "127.0.0.1", "HostPort": str(held.admin.port)}]


def test_one_container_for_all_of_a_project(crowd, take, tmp_path):
    """Those who ask at once for the container of a project share one; another project has another."""
    ports = set(crowd(5).ports())
    assert ports == {str(take().admin.port)}
    other = tmp_path / "other"
    other.mkdir()
    assert take(folder=other).admin.port != take().admin.port
    assert len(containers()) == 2


def test_one_container_for_each_worker(take):
    """`container-per-worker` gives each worker a container that no other worker uses."""
    assert take("container-per-worker").admin.port != take("container-per-worker").admin.port
    assert len(containers()) == 2


def test_the_last_one_out_removes_it(take):
    """A container outlives all its users but the last one; then container, volume, folder and locks are gone."""
    first, second = take(), take()
    first.release()
    assert value(second, "SELECT 1") == 1
    key = Path(second.nest).name.partition("-")[0]
    second.release()
    assert gone()
    assert not Path(second.nest).exists()
    deadline = time.monotonic() + 10
    while list(own(short()).glob(f"{key}*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(own(short()).glob(f"{key}*")) == []


@pytest.mark.parametrize("who", ["users", "supervisor", "everybody"])
def test_whoever_is_killed_nothing_stays(crowd, who):
    """With the users, the supervisor, or all of them killed, the container ends by itself; no reaper is needed."""
    users = crowd(3)
    assert len(set(users.ports())) == 1
    assert len(containers()) == 1
    assert "ryuk" not in "".join(engine("ps", "-a"))
    if who != "users":
        for process in supervisors():
            with suppress(psutil.NoSuchProcess):
                process.kill()
    if who != "supervisor":
        users.kill()
    assert gone()


def test_a_killed_container_is_replaced(take):
    """A container removed under its users is replaced: its log can be read, and the next lease starts another."""
    held = take()
    assert "database system is ready" in Path(held.nest, "log").read_text("utf-8")
    engine("rm", "-fv", containers()[0])
    again = take()
    assert value(again, "SELECT 1") == 1


def test_what_a_dead_supervisor_left_is_swept(take):
    """A container of this machine whose supervisor is dead goes with the next start; another machine's stays."""
    from pytest_crucible.server.container.engine import realm_in  # loads testcontainers

    realm = realm_in(str(own(short()) / "realm"))
    names = {}
    for whose in (realm, "somebody-else"):
        label = f"{LABEL}={whose}:/nowhere/at-all"
        words = ["--label", label, "--entrypoint", "sleep", "postgres:16-alpine", "600"]
        [names[whose]] = engine("run", "-d", *words)
    try:
        take().release()
        left = engine("ps", "-aq", "--no-trunc", "--filter", f"label={LABEL}")
        assert names[realm] not in left
        assert names["somebody-else"] in left
    finally:
        engine("rm", "-fv", names["somebody-else"])


def test_no_engine(tmp_path, monkeypatch):
    """Without an engine the error says how to look for it, and names the server that needs none."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(ServerError, match="No container engine answers") as error:
        lease("container", root=tmp_path, cache=tmp_path / "cache")
    assert "docker info" in error.value.do
    assert 'crucible_server = "embedded"' in error.value.do


def test_no_such_image(tmp_path):
    """An image that is not there and cannot be pulled is named, with the command to try by hand."""
    with pytest.raises(ServerError, match="The image nobody/has:it is not on this machine") as error:
        lease("container:nobody/has:it", root=tmp_path, cache=tmp_path / "cache")
    assert "docker pull nobody/has:it" in error.value.do


def test_an_image_that_does_not_start(tmp_path):
    """A container that ends while it starts is an error with its last words."""
    [base] = engine("create", "postgres:16-alpine")
    script = 'ENTRYPOINT ["sh", "-c", "echo no room for postgres; exit 3"]'
    engine("commit", "--change", script, base, "broken:1")
    try:
        with pytest.raises(ServerError, match="The container of broken:1 ended while it was starting") as error:
            lease("container:broken:1", root=tmp_path, cache=tmp_path / "cache")
        assert "no room for postgres" in error.value.do
    finally:
        engine("rm", "-fv", base)
        engine("rmi", "-f", "broken:1")
