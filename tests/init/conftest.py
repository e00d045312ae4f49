"""Projects to run `crucible init` on, each a copy."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_crucible.cli import main

# File, name, first and last line, and the fixture of Crucible's that takes its place.
NAMED = re.compile(r"(?m)^  (\S+):\d+ (\w+): delete lines (\d+) to (\d+)(?:, and request (\w+) instead)?\.")
SAMPLES = Path(__file__).parents[1] / "projects"


class Copy:
    """A copy of a project, and what can be done with it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str], cache: Path) -> None:
        self.root = root
        self._capsys = capsys
        self._cache = cache

    def init(self, *words: str, tried: bool = False) -> tuple[int, str]:
        """Run `crucible init`, by default without a trial; its exit code, and what it printed."""
        code = main(["init", "--root", str(self.root), *([] if tried else ["--no-try"]), *words])
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err

    def printed(self) -> str:
        """Return what has been printed since, to standard output."""
        return self._capsys.readouterr().out

    def files(self) -> dict[str, str]:
        """Every file, as text."""
        paths = sorted(path for path in self.root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {path.relative_to(self.root).as_posix(): path.read_text("utf-8", "replace") for path in paths}

    def write(self, **files: str) -> None:
        """Write files, named with ``__`` for a slash and ``_`` before the suffix."""
        for name, text in files.items():
            path = self.root / Path(*name.split("__"))
            path = path.with_name(".".join(path.name.rsplit("_", 1)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def obey(self, printed: str) -> None:
        """Delete the fixtures that `crucible init` named; one of Crucible's takes the name where it says so."""
        lines_first = sorted(NAMED.findall(printed), key=lambda found: (found[0], -int(found[2])))
        for file, name, first, last, by in lines_first:
            path = self.root / file
            lines = path.read_text("utf-8").splitlines(keepends=True)
            other = f"@pytest.fixture\ndef {name}({by}):\n    return {by}\n" if by else ""
            lines[int(first) - 1 : int(last)] = [other]
            path.write_text("".join(lines), "utf-8")

    def obey_stepwise(self, printed: str) -> Iterator[str]:
        """Delete the named fixtures from the top of the list, and yield the name of each after its step."""
        for file, name, first, last, by in NAMED.findall(printed):
            path = self.root / file
            lines = path.read_text("utf-8").splitlines(keepends=True)
            other = ["@pytest.fixture\n", f"def {name}({by}):\n", f"    return {by}\n"] if by else []
            number = int(last) - int(first) + 1
            lines[int(first) - 1 : int(last)] = [
                *other,
                *["\n"] * (number - len(other)),
            ]  # later lines keep their place
            path.write_text("".join(lines), "utf-8")
            yield name

    def pytest(self, *words: str, **variables: str) -> str:
        """Run its tests in a process of their own, with *variables* set; what was printed."""
        inherited = ("CRUCIBLE_", "PYTEST_", "COV_", "COVERAGE_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(inherited)}
        for name in ("CI", "BUILD_NUMBER", "PYTHONDONTWRITEBYTECODE"):
            environment.pop(name, None)
        done = subprocess.run(
            [Path(sys.executable).with_name("pytest"), "-p", "no:cacheprovider", *words],
            cwd=self.root,
            env=environment | {"CRUCIBLE_CACHE": str(self._cache)} | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def init_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers of all copies keep what they share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], init_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Copy]:
    """Copy a sample project; or begin an empty one, without a name."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # requirements are resolved with what is installed

    def make(name: str | None = None) -> Copy:
        root = tmp_path / (name or "project")
        if name is None:
            root.mkdir(exist_ok=True)
        else:
            sample = Path(name).parts[0]  # of a repository with several projects, the whole
            shutil.copytree(SAMPLES / sample, tmp_path / sample, ignore=shutil.ignore_patterns("__pycache__"))
        return Copy(root, capsys, init_cache)

    return make
