"""What has to change in the well-known recipe so that it runs and isolates, and no more; and its way to Crucible."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent / "projects" / "seed"

# Leaving `async with conn.begin()` commits: the rollback has to come before.
ROLLBACK = (
    """            yield session
            await session.close()
        await trans.rollback()
""",
    """            yield session
            await session.close()
            await trans.rollback()
""",
)
# An async fixture of the session on a loop of each test: it does not start. And no test finds `tests` or `app`.
LOOPS = (
    """asyncio_default_fixture_loop_scope = "function"
""",
    """asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
pythonpath = ["."]
""",
)
# A machine without a container engine.
CONTAINER = ("from testcontainers.postgres import", "from local_postgres import")

CRUCIBLE = """
crucible_app = "app.main:app"
crucible_metadata = ["app.database:Base"]
crucible_isolation = "{isolation}"
"""
GET_SESSION = 'crucible_get_session = "app.database:get_db"\n'

# The recipe's fixtures in the order in which they can go. The session goes before the client: its outer transaction
# never commits, and without the client's override the application would not see what it holds.
FIXTURES = (
    "event_loop",
    "faker_seed",
    "configure_factories",
    "db_session",
    "async_client",
    "async_engine",
    "postgres_container",
)


class Recipe:
    """The recipe's project in a folder of its own, repaired.

    Args:
        root: The folder.
        environment: What its runs find in the environment.
    """

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self._environment = environment
        shutil.copytree(PROJECT, root, dirs_exist_ok=True)
        shutil.copy(HERE / "local_postgres.py", root)
        self.change("pyproject.toml", *LOOPS)
        self.change("tests/conftest.py", *ROLLBACK)
        self.change("tests/conftest.py", *CONTAINER)

    def change(self, path: str, before: str, after: str) -> None:
        """Replace *before*, which stands in the file once, by *after*."""
        file = self.root / path
        text = file.read_text("utf-8")
        assert text.count(before) == 1, f"{before!r} stands in {path} {text.count(before)} times"
        file.write_text(text.replace(before, after), "utf-8")

    def configure(self, isolation: str) -> None:
        """Set Crucible up."""
        words = CRUCIBLE.format(isolation=isolation) + GET_SESSION * (isolation == "rollback")
        file = self.root / "pyproject.toml"
        file.write_text(file.read_text("utf-8") + words, "utf-8")

    def delete(self, fixture: str) -> None:
        """Delete one fixture from the conftest."""
        file = self.root / "tests" / "conftest.py"
        text = file.read_text("utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == fixture:
                lines = text.splitlines(keepends=True)
                del lines[node.decorator_list[0].lineno - 1 : node.end_lineno]
                file.write_text("".join(lines), "utf-8")
                return
        raise LookupError(fixture)

    def run(self, *arguments: str) -> str:
        """Run the suite; returns what it printed, with the exit code in the last line."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=self.root,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return f"{done.stdout}{done.stderr}\nexit code {done.returncode}"
