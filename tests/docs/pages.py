"""Pages of the documentation as programs: their blocks are files of a sample project, and commands run in it.

A page may name its sample project (``<!-- project: shop -->``, a folder of ``tests/docs/projects``). Then, in order:

* a block whose first line is a comment with a path (``# tests/test_items.py``) is that file; tables of a
  ``pyproject.toml`` are merged into the one that is there, and data files, which know no comments, go without it;
* of a ``console`` block, the lines with ``$`` are run; what stands below each must appear in its output, in this
  order, ``…`` standing for any text. ``exit=1`` after the language is the exit code that the last one must have.
  Everything is installed already, so ``pip install`` is passed over; ``not-run=REASON`` marks what cannot run here;
* ``text`` blocks, and ``sql`` blocks without a path, are for reading only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tomlkit

PROJECTS = Path(__file__).parent / "projects"
BLOCK = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
PROJECT = re.compile(r"^<!-- project: (\S+) -->$", re.MULTILINE)
PATH = re.compile(r"(?:#|;|//|--|<!--) ?([\w./-]+\.\w+|Makefile)(?: -->)?")
DATA = {".csv", ".json", ".txt"}
READING = {"text", "mermaid"}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Attributes:
        language: The first word after the fence.
        words: What follows it: ``exit=1``, ``not-run=…``.
        text: The lines between the fences, without the block's own indentation.
        line: Where it begins in the page, from 1.
    """

    language: str
    words: dict[str, str]
    text: str
    line: int

    @property
    def path(self) -> str | None:
        """The file that this block is, if it is one."""
        found = PATH.fullmatch(self.text.partition("\n")[0].strip())
        return found[1] if found and self.language not in READING | {"console"} else None

    @property
    def runs(self) -> bool:
        """Whether a reader is meant to do something with it that can be done here."""
        is_shown = self.language in READING or (self.language == "sql" and self.path is None)
        return not is_shown and "not-run" not in self.words


@dataclass(frozen=True)
class Step:
    """One command of a ``console`` block, and what it prints."""

    command: str
    expected: tuple[str, ...]
    exit: int


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of the text of a *page*."""
    for match in BLOCK.finditer(page):
        language, *words = match["info"].split(maxsplit=1) or [""]
        given = dict(re.findall(r'([\w-]+)=("[^"]*"|\S+)', words[0] if words else ""))
        text = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        yield Block(language, given, text, page.count("\n", 0, match.start()) + 1)


def steps(block: Block) -> list[Step]:
    """Return the commands of a ``console`` *block*; its exit code is the last one's."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    last = len(parts) - 1
    return [
        Step(command, tuple(line for line in map(str.strip, lines) if line), _code(block) if number == last else 0)
        for number, part in enumerate(parts)
        for command, *lines in [part.replace("\\\n", "").splitlines()]
    ]


def _code(block: Block) -> int:
    return int(block.words.get("exit", "0"))


def missing(expected: tuple[str, ...], output: str) -> str | None:
    """Return the first line of *expected* that *output* does not have after the ones before it."""
    lines = iter(line.strip() for line in output.splitlines())
    for wanted in expected:
        pattern = ".*".join(map(re.escape, wanted.split("…")))
        if not any(re.fullmatch(pattern, line) for line in lines):
            return wanted
    return None


class Walk:
    """A reader who does what a page says, in a project of their own.

    Args:
        page: The text of the page.
        root: An empty folder.
        environment: What the commands find in the environment beside what they need.
    """

    def __init__(self, page: str, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.page = page
        named = PROJECT.search(page)
        shutil.copytree(PROJECTS / (named[1] if named else "shop"), root, dirs_exist_ok=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = environment | {"PATH": path}

    def run(self) -> int:
        """Do everything; returns how many commands ran."""
        return sum(self._do(block) for block in blocks(self.page) if block.runs)

    def _do(self, block: Block) -> int:
        if block.language == "console":
            return sum(self._execute(step, block) for step in steps(block))
        if block.path is not None:
            self._write(block.path, block.text)
        return 0

    def _write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix in DATA:
            text = text.partition("\n")[2]
        if file.name == "pyproject.toml" and file.exists():
            whole = tomlkit.parse(file.read_text("utf-8"))
            merge(whole, tomlkit.parse(text))
            text = tomlkit.dumps(whole)
        file.write_text(text, "utf-8")

    def _execute(self, step: Step, block: Block) -> bool:
        if step.command.startswith("pip install"):
            return False
        done = subprocess.run(  # noqa: S602 - a page is written for a shell
            step.command, shell=True, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=300,
        )  # fmt: skip
        output = done.stdout + done.stderr
        said = f"line {block.line}: $ {step.command}\n{output}"
        assert done.returncode == step.exit, f"exit code {done.returncode} instead of {step.exit}; {said}"
        lacking = missing(step.expected, output)
        assert lacking is None, f"not in the output: {lacking!r}; {said}"
        return True


def merge(into: tomlkit.TOMLDocument, new: tomlkit.TOMLDocument) -> None:
    """Put the keys of *new* into *into*, table by table."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
