"""Fresh clones that are ready before they are needed, in a project with two databases whose tests start processes."""

from __future__ import annotations

import pytest

from .conftest import Shop

TESTS = """
import psycopg, threading

URL = os.environ["SHOP_URL"]
NUMBER = "SELECT oid FROM pg_database WHERE datname = current_database()"
CHILD = "import shop, sys; [(shop.add(), print('added', flush=True)) for line in sys.stdin]"
numbers, leaked = set(), []

def threads():
    return [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]

@pytest.mark.parametrize("n", range(6))
def test_a_url_from_the_environment(n, crucible):
    assert shop.counts() == (0, 0)
    shop.add()
    with psycopg.connect(URL) as connection, psycopg.connect(crucible.url()) as other:
        assert connection.execute("SELECT count(*) FROM items").fetchone() == (1,)
        (number,) = connection.execute(NUMBER).fetchone()
        assert other.execute(NUMBER).fetchone() == (number,)
    assert number not in numbers
    numbers.add(number)
    leaked.append(psycopg.connect(URL))

@pytest.mark.parametrize("n", range(4))
def test_a_child_that_forks(n):
    assert shop.counts() == (0, 0)
    child = FORK.Process(target=shop.add)
    child.start()
    child.join(120)
    assert (child.exitcode, shop.counts()) == (0, (1, 1))

@pytest.fixture(scope="module")
def child():
    words = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    with subprocess.Popen([sys.executable, "-c", CHILD], **words) as child:
        yield child

@pytest.mark.parametrize("n", range(4))
def test_a_program_that_stays(n, child):
    assert shop.counts() == (0, 0)
    print("go", file=child.stdin)
    assert child.stdout.readline() == "added\\n"
    assert shop.counts() == (1, 1)

def test_what_is_left():
    assert all(connection.closed or ended(connection) for connection in leaked)

def ended(connection):
    with connection:
        try:
            connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return True
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_clones_in_clone_isolation(shop_project: Shop, arguments: tuple[str, ...]):
    """URLs in the environment, leaked connections and child processes follow each exchange; nothing warns."""
    shop_project.run(TESTS, "--crucible-isolation=clone", "--crucible-url-env=SHOP_URL=postgresql", *arguments)


@pytest.mark.slow
def test_clones_after_ddl(shop_project: Shop):
    """Each test changes the schema, so each gets a fresh clone."""
    ddl = "with shop.engine.begin() as connection: connection.execute(text('CREATE TABLE more (id int)'))"
    clean = "    assert shop.counts() == (0, 0)\n"
    shop_project.run(TESTS.replace(clean, f"{clean}    {ddl}\n"), "--crucible-url-env=SHOP_URL=postgresql")
