"""Which databases of a server are Crucible's: those with its mark, and no others."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from pytest_crucible.cli import main
from pytest_crucible.control import Admin
from pytest_crucible.control.marks import MARK
from pytest_crucible.errors import ServerError
from pytest_crucible.server import lease

WORKER = "crucible_w_billing_eu_west_1"
KEPT = "crucible_k_test_it_01234567_ci"
TEMPLATE = "crucible_t_shop_0123456789abcdef"


@pytest.fixture
def admin(external, role):
    """Yield an administrator who is no superuser."""
    made = Admin(lease(external.url(role("marker")), root=Path()), "run1")
    yield made
    made.close()


@pytest.fixture
def gc(external, capsys):
    """Run ``crucible gc``; returns its exit code, and the lines that it wrote."""

    def run(role: str, *words: str) -> tuple[int, list[str], list[str]]:
        code = main(["gc", "--server", external.url(role), *words])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


def entry(admin, name):
    return next(entry for entry in admin.entries(name) if entry.name == name)


def test_the_mark_is_created_with_the_database_and_stays(admin):
    """It survives a new name and the making of a template; what another client copies has not got it."""
    admin.create(WORKER, owner="marker", template="template0")
    admin.rename(WORKER, KEPT)
    assert entry(admin, KEPT).is_marked
    admin._connection.execute(f"CREATE DATABASE {WORKER} TEMPLATE {KEPT}")
    assert not entry(admin, WORKER).is_marked
    admin.rename(KEPT, TEMPLATE)
    admin.mark_template(TEMPLATE)
    assert admin.databases("crucible_") == {TEMPLATE: True}


def test_the_limit_keeps_no_ordinary_role_out(admin, external):
    """As a number of connections it is larger than any server's."""
    admin.create(WORKER, owner="marker", template="template0")
    with external.connect("marker", WORKER) as connection:
        limit = "SELECT datconnlimit FROM pg_database WHERE datname = current_database()"
        assert connection.execute(limit).fetchone() == (MARK,)


def test_the_comment_says_whose_it_is(admin):
    """Beside the mark stand the user, the machine, the run and the time."""
    admin.create(WORKER, owner="marker", template="template0")
    assert "pytest-crucible: used by " in entry(admin, WORKER).comment
    assert ", run run1, 20" in entry(admin, WORKER).comment
    assert entry(admin, WORKER).used is not None


def test_a_database_without_the_mark_is_never_dropped(admin, external):
    """The error says so, and what to write where it may go."""
    external.execute(f"CREATE DATABASE {WORKER} OWNER marker")
    admin.create(KEPT, owner="marker", template="template0")
    for attempt in (lambda: admin.drop(WORKER), lambda: admin.rename(KEPT, WORKER)):
        with pytest.raises(ServerError, match=f'by hand: DROP DATABASE "{WORKER}";'):
            attempt()
    assert {WORKER, KEPT} <= external.databases()


def test_an_interrupted_drop_is_ours_by_its_comment(admin, external):
    """It can only be dropped; without our comment it is left alone."""
    admin.create(KEPT, owner="marker", template="template0")
    external.execute(
        f"CREATE DATABASE {WORKER} OWNER marker",
        f"UPDATE pg_database SET datconnlimit = -2 WHERE datname IN ('{KEPT}', '{WORKER}')",
    )
    assert admin.databases("crucible_") == {KEPT: False}
    admin.drop(KEPT)
    assert KEPT not in external.databases()
    external.execute(f"DROP DATABASE {WORKER}")


def test_gc_names_what_it_leaves(admin, external, gc):
    """What looks like Crucible's and is not marked stays, with the statements that drop it."""
    external.execute(
        f"CREATE DATABASE {WORKER} OWNER marker",
        "CREATE DATABASE crucible_notes OWNER marker",
        f"CREATE DATABASE {TEMPLATE} OWNER marker IS_TEMPLATE true",
    )
    admin.create(KEPT, owner="marker", template="template0")
    code, out, err = gc("marker", "--templates")
    left = "lacks Crucible's mark; to drop it:"
    assert (code, err) == (0, [])
    assert out == [
        f"dropped {KEPT}",
        f'left {TEMPLATE}, which {left} ALTER DATABASE "{TEMPLATE}" IS_TEMPLATE false; DROP DATABASE "{TEMPLATE}";',
        f'left {WORKER}, which {left} DROP DATABASE "{WORKER}";',
    ]
    assert {WORKER, TEMPLATE, "crucible_notes"} <= external.databases()


def test_gc_goes_on_after_what_it_may_not_drop(admin, external, role, gc):
    """Of another role's database, and of one that a superuser is connected to, it says why, and drops the rest."""
    role("stranger")
    names = [f"crucible_k_test_{letter}_01234567_ci" for letter in "abc"]
    external.execute(f"CREATE DATABASE {names[0]} OWNER stranger CONNECTION LIMIT {MARK}")
    for name in names[1:]:
        admin.create(name, owner="marker", template="template0")
    with external.connect("postgres", names[1]):
        code, out, err = gc("marker")
    assert (code, out) == (1, [f"dropped {names[2]}"])
    assert err[0] == f"crucible: {names[0]} cannot be dropped: must be owner of database {names[0]}"
    assert err[1].startswith(f"crucible: {names[1]} cannot be dropped: ")
    assert external.databases() >= set(names[:2])


def test_gc_leaves_a_template_that_a_run_uses(admin, external, gc):
    """A live run clones from it again after DDL."""
    admin.create(TEMPLATE, owner="marker", template="template0")
    admin.mark_template(TEMPLATE)
    with external.connect() as connection:
        connection.execute(f"SELECT pg_advisory_lock_shared(hashtextextended('use {TEMPLATE}', 0))")
        assert gc("marker", "--templates") == (1, [], [f"crucible: {TEMPLATE} cannot be dropped: a run uses it."])
    assert gc("marker", "--templates") == (0, [f"dropped {TEMPLATE}"], [])


def test_a_copy_of_a_kept_database_is_the_users(admin, external, gc):
    """A user who copies one to look at it later keeps the copy."""
    admin.create(KEPT, owner="marker", template="template0")
    with psycopg.connect(external.url("marker"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE crucible_k_test_it_76543210_ci TEMPLATE {KEPT}")
    gc("marker")
    assert "crucible_k_test_it_76543210_ci" in external.databases()
