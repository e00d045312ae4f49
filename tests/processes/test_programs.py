"""Children that are started anew: spawned, by a fork server, as programs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Shop

PROGRAMS = """
def test_a_child_of_multiprocessing(way="spawn"):
    child = multiprocessing.get_context(way).Process(target=shop.add)
    child.start()
    child.join(120)
    assert (child.exitcode, shop.counts()) == (0, (1, 1))

def test_a_program(tmp_path, flag="-I"):
    code = f"import sys; sys.path.insert(0, {os.getcwd()!r}); import shop; shop.add(); shop.add_async()"
    done = program(code, flag, cwd=tmp_path)
    assert (done.returncode, done.stderr, shop.counts()) == (0, "", (2, 1))

def test_nothing_is_left():
    assert shop.counts() == (0, 0)
"""

MORE = """
def test_a_fork_server():
    test_a_child_of_multiprocessing("forkserver")

def test_a_program_of_a_program():
    inner = "import shop; shop.add()"
    done = program(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)")
    assert (done.returncode, shop.counts()) == (0, (1, 1))

def test_without_the_environment_of_python(tmp_path):
    test_a_program(tmp_path, "-E")

def test_the_same_role_and_database(crucible):
    query = "select current_user || ' ' || current_database()"
    done = program(f"import shop; print(shop.Session(shop.stats_engine).scalar(shop.text({query!r})))")
    with Session(shop.stats_engine) as session:
        assert done.stdout.strip() == session.scalar(text(query))
    assert crucible.database not in done.stdout

def test_a_program_that_stays():
    code = "import shop, sys; [(shop.add(), print('added', flush=True)) for line in sys.stdin]"
    words = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    with subprocess.Popen([sys.executable, "-c", code], **words) as child:
        for n in range(1, 3):
            print("go", file=child.stdin)
            assert child.stdout.readline() == "added\\n"
            assert shop.counts() == (n, n)

@pytest.fixture(scope="module")
def child():
    code = "import shop, sys; [(shop.add(), print('added', flush=True)) for line in sys.stdin]"
    words = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    with subprocess.Popen([sys.executable, "-c", code], **words) as child:
        yield child

@pytest.mark.parametrize("n", range(4))
def test_a_program_of_the_module(child, n):
    print("go", file=child.stdin)
    assert child.stdout.readline() == "added\\n"
    assert shop.counts() == (1, 1)
    if n == 1:
        with shop.engine.begin() as connection:
            connection.execute(text("create table more (id integer)"))

def test_a_role_of_its_own():
    code = "import shop; engine = shop.create_engine('postgresql+psycopg://other@nowhere/shop')"
    assert program(f"{code}; print(engine.connect().scalar(shop.text('select user')))").stdout == "other\\n"

def test_creator_is_refused(crucible):
    creator = f"lambda: psycopg.connect({crucible.url()!r})"
    code = f"import psycopg, shop; shop.create_engine('postgresql+psycopg://', creator={creator}).connect()"
    assert "RedirectError: An engine opened a PostgreSQL connection past" in program(code).stderr

def test_pytest_of_its_own(tmp_path):
    # Without a configuration of Crucible's: still a child.
    (tmp_path / "test_inner.py").write_text("import shop\\ndef test_it(): shop.add()")
    words = [sys.executable, "-m", "pytest", "-q", str(tmp_path)]
    done = subprocess.run([*words, "--rootdir", str(tmp_path), "-c", os.devnull])
    assert (done.returncode, shop.counts()) == (0, (1, 1))
    # With one: a run of its own.
    lines = ["[pytest]", "crucible_metadata = shop:Base", "crucible_databases = stats=shop:Stats"]
    (tmp_path / "pytest.ini").write_text("\\n".join(lines))
    done = subprocess.run(words)
    assert (done.returncode, shop.counts()) == (0, (1, 1))

@pytest.fixture(scope="module")
def seed():
    program("import shop; shop.add()").check_returncode()

@pytest.mark.parametrize("n", range(2))
def test_what_a_fixture_of_the_module_writes(seed, n):
    assert shop.counts() == (1, 1)
    shop.add()
"""

OUTLIVING = """
import os, subprocess, sys

def test_leave_a_child(crucible):
    code = '''
import sys, time, pathlib, os
import shop
shop.pid() if "used" in sys.argv else None
print("ready", flush=True)
pathlib.Path("pid").write_text(str(os.getpid()))
while not pathlib.Path("over").exists():
    time.sleep(0.02)
try:
    shop.add()
except Exception as error:
    text = f"{type(error).__name__} {error}"
else:
    text = "added"
pathlib.Path("said.tmp").write_text(text)
os.rename("said.tmp", "said")
'''
    child = subprocess.Popen([sys.executable, "-c", code, os.environ["HOW"]], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\\n"
    child.returncode = 0  # and no warning that it goes on
    child.stdout.close()
"""


@pytest.mark.slow
def test_programs(shop_project: Shop) -> None:
    """Engines of spawned children lead where the parent's do, and what they write is put back."""
    assert "3 passed" in shop_project.run(PROGRAMS)


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["reset", "clone", "rollback"])
@pytest.mark.parametrize("drivers", [("psycopg", "psycopg"), ("psycopg2", "asyncpg")])
def test_isolations(shop_project: Shop, isolation: str, drivers: tuple[str, str]) -> None:
    """The same in each isolation, for each driver, and for children that stay."""
    words = {"DRIVER": drivers[0], "ASYNC_DRIVER": drivers[1]}
    assert "17 passed" in shop_project.run(PROGRAMS + MORE, f"--crucible-isolation={isolation}", **words)


@pytest.mark.slow
def test_workers(shop_project: Shop) -> None:
    """The same in the workers of pytest-xdist, which are no children of the run's first process."""
    assert "17 passed" in shop_project.run(PROGRAMS + MORE, "-n", "2")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["used", "unused"])
def test_a_child_that_outlives_the_run(shop_project: Shop, how: str) -> None:
    """A child whose run is over gets an error that says so, not the application's own database."""
    for name in ("over", "said"):
        Path(shop_project.root, name).unlink(missing_ok=True)
    shop_project.run(OUTLIVING, HOW=how)
    Path(shop_project.root, "over").touch()
    said = Path(shop_project.root, "said")
    deadline = time.monotonic() + 30
    while not said.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert said.read_text().startswith("RedirectError Process ")
    assert "their run is over" in said.read_text()


def test_without_the_variable(shop_project: Shop) -> None:
    """An interpreter that no test has started imports nothing of Crucible's."""
    code = "import sys; sys.exit(any('crucible' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, env=shop_project.environment).returncode == 0
