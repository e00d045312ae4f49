"""The sides that `peers.py` compares: the ways to keep tests apart, each in its own best documented configuration."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SHOP = Path(__file__).parent / "shop"
CRUCIBLE = 'crucible_app = "app.main:app"\ncrucible_metadata = ["app.models:Base"]\ncrucible_isolation = "{way}"\n'
COMMON = ("pytest==9.2.0", "pytest-xdist==3.8.0")
FASTAPI = (
    *COMMON,
    "fastapi==0.165.0",
    "SQLAlchemy[asyncio]==2.1.9",
    "asyncpg==0.32.0",
    "httpx==0.28.1",
    "pytest-asyncio==1.5.0",
)
PSYCOPG = "psycopg[binary]==3.3.9"
# What is installed in the environment of each set of sides.
ENVIRONMENTS = {
    "pytest-crucible": (*FASTAPI, "--editable", str(Path(__file__).parents[1])),
    "conftest": FASTAPI,
    "testcontainers": (*FASTAPI, "testcontainers==4.15.0"),
    "pytest-sqla": (*FASTAPI, "pytest-sqla==0.0.2"),
    "pytest-sqlalchemy-alembic": (*FASTAPI, "pytest-sqlalchemy-alembic==0.2.0"),
    "pytest-postgresql": (*FASTAPI, "pytest-postgresql==10.0.0", PSYCOPG),
    "py-pglite": (*FASTAPI, "py-pglite==0.5.3", PSYCOPG),
    "pytest-django": (*COMMON, "Django==5.2.8", "pytest-django==4.14.0", PSYCOPG),
}


@dataclass(frozen=True)
class Side:
    """A way to keep tests apart.

    Attributes:
        name: The name of the row.
        environment: The set of packages, of `ENVIRONMENTS`.
        way: The value of ``PEERS_WAY``, which conftests with several ways read.
        means: The means by which it keeps tests apart, and its configuration.
        conftest: The conftest, one of ``shop/fastapi/ways``; none for Crucible and Django.
        server: True if a server is given, which runs before a warm run begins.
        arguments: More arguments for pytest.
        needs: The command without which the side is skipped.
        alone: The reason why it does not run with several workers; empty if it does.
    """

    name: str
    environment: str
    way: str
    means: str
    conftest: str = ""
    server: bool = True
    arguments: tuple[str, ...] = ()
    needs: str = ""
    alone: str = ""

    @property
    def own(self) -> bool:
        """True for Crucible's own ways."""
        return self.environment == "pytest-crucible"

    @property
    def project(self) -> str:
        """The folder of its application and tests."""
        return "django" if self.environment == "pytest-django" else "fastapi"

    def write(self, folder: Path) -> None:
        """Write the project into *folder*."""
        shutil.copytree(SHOP / self.project, folder, ignore=shutil.ignore_patterns("ways", "__pycache__"))
        shutil.copy(Path(__file__).with_name("peers_plugin.py"), folder)
        if self.conftest:
            shutil.copy(SHOP / "fastapi" / "ways" / f"{self.conftest}.py", folder / "conftest.py")
        if self.own:
            with (folder / "pyproject.toml").open("a") as file:
                file.write(CRUCIBLE.format(way=self.way))

    def missing(self) -> str:
        """Return the reason why it cannot be measured here; empty if it can."""
        if self.needs == "docker" and not _answers(["docker", "info"]):
            return "no container engine answers"
        if self.needs == "node" and not _answers(["node", "--version"]):
            return "there is no node"
        return ""


SIDES = [
    Side("Crucible, reset", "pytest-crucible", "reset", "real commits, reset of what changed", server=False),
    Side("Crucible, rollback", "pytest-crucible", "rollback", "one outer transaction", server=False),
    Side("Crucible, clone", "pytest-crucible", "clone", "a database for each test", server=False),
    Side("the recipe, repaired", "conftest", "", "one outer transaction on a pooled connection", "recipe"),
    Side("create_all for each test", "conftest", "create_all", "`create_all`, `drop_all`", "committing"),
    Side("TRUNCATE of all tables", "conftest", "truncate", "`TRUNCATE`, and the seed rows again", "committing"),
    Side("DELETE from all tables", "conftest", "delete", "`DELETE`, and the seed rows again", "committing"),
    Side("pytest-sqla", "pytest-sqla", "", "one outer transaction", "pytest_sqla"),
    Side(
        "pytest-postgresql",
        "pytest-postgresql",
        "",
        "a clone of a template for each test (`postgresql_noproc`, `load=`)",
        "pytest_postgresql",
    ),
    Side(
        "py-pglite",
        "py-pglite",
        "",
        "`TRUNCATE` before each test; one connection for test and application (psycopg)",
        "py_pglite",
        server=False,
        needs="node",
        alone="with two workers on two cores its servers never gave their first answer (its issue 55)",
    ),
    Side(
        "pytest-sqlalchemy-alembic",
        "pytest-sqlalchemy-alembic",
        "",
        "none of its own: the recipe's outer transaction on the database that it keeps (`--no-migrations`)",
        "pytest_sqlalchemy_alembic",
        arguments=("--no-migrations",),
    ),
    Side(
        "a container",
        "testcontainers",
        "",
        "the recipe's outer transaction in a container for each worker",
        "container",
        server=False,
        needs="docker",
    ),
    Side("Django, db", "pytest-django", "db", "one outer transaction (`--reuse-db`)", arguments=("--reuse-db",)),
    Side(
        "Django, transactional_db",
        "pytest-django",
        "transactional_db",
        "`TRUNCATE`, and the serialized rows again (no `--reuse-db`: after it the rows of migrations are gone)",
    ),
]


def _answers(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
