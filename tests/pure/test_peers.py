"""The page of `make bench-peers`: its tables and plots are what the figures say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RESET, RECIPE, CLONE = "Crucible, reset", "the recipe, repaired", "Crucible, clone"


@pytest.fixture
def peers_page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module that writes the page; the benchmarks are scripts, and find each other by their folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import peers_page

    return peers_page


def figures(wall: float, failed: int = 0) -> dict[str, list[dict[str, float]]]:
    one = {"wall": wall, "processor": 5, "memory": 100, "failed": failed}
    one |= {} if failed else {"median": wall, "p95": 9, "p99": 10}
    return {f"{run} {workers}": [one] for run in ("cold", "warm") for workers in (1, 2)}


@pytest.fixture
def words() -> dict[str, object]:
    """Return what stands in peers.json."""
    sides = {RESET: figures(4), CLONE: figures(8), RECIPE: figures(2), "pytest-sqla": figures(1, failed=3)}
    facts = {"machine": "a machine", "cores": 2, "python": "3.13", "load": 0.5, "tests": 300, "rounds": 1, "minutes": 2}
    probes = {RESET: {"commit": True}, CLONE: {"commit": True}, RECIPE: {"commit": False}}
    versions = {"conftest": {"pytest": "9.2.0"}}
    return {**facts, "versions": versions, "skipped": {"a container": "why"}, "probes": probes, "sides": sides}


def test_the_page_says_where_another_way_wins(peers_page: ModuleType, words: dict[str, object]):
    """A side that is better is named with its ratio; one that failed or is as good is not."""
    lines = peers_page.wins(peers_page.Results(words))
    assert [cell.strip() for cell in lines[2].split("|")[2:4]] == ["4.00 s", f"{RECIPE} (2.00)"]
    assert "no other" in lines[6]
    assert not any("pytest-sqla" in line for line in lines)


def test_what_failed_or_was_skipped_is_named(peers_page: ModuleType, words: dict[str, object]):
    """No figure stands for a side whose tests failed, and the page says so."""
    results = peers_page.Results(words)
    assert results.cell("pytest-sqla", "warm 1", "wall") == "–"
    lines = peers_page.left_out(results)
    assert lines[0] == "- a container: skipped, since why."
    assert "- pytest-sqla, warm 1 workers: 3 tests failed, and so there is no figure." in lines


def test_page_and_plots_are_written(peers_page: ModuleType, words: dict[str, object], tmp_path: Path):
    """Each plot that the page shows is there, and is XML with a bar for each figure."""
    (tmp_path / "peers.json").write_text(json.dumps(words))
    peers_page.write(tmp_path)
    shown = [
        line.split("](")[1].rstrip(")") for line in (tmp_path / "peers.md").read_text().splitlines() if "![" in line
    ]
    assert sorted(shown) == sorted(path.name for path in tmp_path.glob("*.svg"))
    root = ET.fromstring((tmp_path / "peers-warm.svg").read_text())  # noqa: S314 - our own
    widths = [float(bar.attrib["width"]) for bar in root.iterfind(".//{*}g/{*}rect")]
    assert widths[:6] == [pytest.approx(part * widths[2]) for part in (0.5, 0.5, 1, 1, 0.25, 0.25)]


@pytest.mark.slow
def test_two_sides_in_one_run(tmp_path: Path):
    """The script measures Crucible and a conftest with this interpreter, and all of their tests pass."""
    options = ["--here", "--rounds", "1", "--tests", "6", "--workers", "1", "--sides", "reset", "recipe"]
    command = [sys.executable, str(BENCHMARKS / "peers.py"), *options, "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "peers.json").read_text())
    assert found["probes"][RESET] == dict.fromkeys(("commit", "gather", "own_session", "sequence"), True)
    for side in (RESET, RECIPE):
        (run,) = found["sides"][side]["warm 1"]
        assert (run["tests"], run["failed"]) == (6, 0)
        assert run["wall"] > 0
        assert run["median"] > 0
