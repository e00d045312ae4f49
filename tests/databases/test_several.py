"""Several databases of one application: each has its own, and all are put back."""

from __future__ import annotations

import pytest


def test_each_engine_leads_to_the_database_that_it_names(shop):
    """What the application writes to two databases is in two, and none of it is there in the next test."""
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.mark.parametrize("item", ["a", "a", "b"])
        async def test_order(async_client, item, db_session):
            assert await shop.count() == (0, 0)
            response = await async_client.post("/orders", params={"item": item})
            assert response.status_code == 200
            assert await shop.count() == (1, 1)
            assert await db_session.scalar(text("SELECT max(id) FROM orders")) == 1
            async with shop.stats.connect() as connection:
                assert await connection.scalar(text("SELECT max(id) FROM sales")) == 1
                with pytest.raises(Exception, match="orders"):
                    await connection.execute(text("SELECT * FROM orders"))
    """)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["crucible: database 'shop' leads to the main database: *"])
    assert shop.databases("crucible_w_") == []


def test_ddl_costs_the_database_that_it_changed_a_clone(shop):
    """DDL in one database is gone in the next test; connections to the other one stay open."""
    result = shop.run("""
        import shop
        from sqlalchemy import text

        PIDS = []

        async def pid(engine):
            async with engine.connect() as connection:
                return await connection.scalar(text("SELECT pg_backend_pid()"))

        async def test_changes_the_schema():
            PIDS.append((await pid(shop.engine), await pid(shop.stats)))
            async with shop.stats.begin() as connection:
                await connection.execute(text("DROP TABLE sales"))
                await connection.execute(text("CREATE TABLE tally (n int)"))
            async with shop.engine.begin() as connection:
                await connection.execute(text("INSERT INTO orders (item) VALUES ('a')"))

        async def test_finds_it_as_it_was(crucible_run):
            assert await shop.count() == (0, 0)
            async with shop.stats.connect() as connection:
                assert await connection.scalar(text("SELECT to_regclass('tally')")) is None
            ((engine, stats),) = PIDS
            assert await pid(shop.engine) == engine
            assert await pid(shop.stats) != stats
    """)
    result.assert_outcomes(passed=2)


LOOKED_AT = """
import threading

import pytest
import shop
from sqlalchemy import text

LOOKED = []

@pytest.fixture(autouse=True, scope="module")
def looking(crucible_run):
    reset = type(crucible_run.worker.main).send_reset
    def look(self, *args, **kwargs):
        LOOKED.append(self.name)
        return reset(self, *args, **kwargs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(crucible_run.worker.main), "send_reset", look)
        yield

def looked(run):
    names, LOOKED[:] = [run.worker.names.index(name) for name in LOOKED], []
    return names

async def test_both(async_client):
    await async_client.post("/orders", params={"item": "a"})

async def test_neither(crucible_run):
    assert looked(crucible_run) == [0, 1]

def test_a_connection_that_stays_in_use(crucible_run):
    assert looked(crucible_run) == []
    global connection, proxy
    connection = shop.stats_sync.connect().execution_options(isolation_level="AUTOCOMMIT")
    proxy = shop.stats_sync.raw_connection()
    proxy.rollback()

def test_it_goes_on(crucible_run):
    assert looked(crucible_run) == [1]

def test_is_given_back_in_a_later_test(crucible_run):
    assert looked(crucible_run) == [1]
    connection.execute(text("INSERT INTO sales (item) VALUES ('late')"))
    connection.close()
    proxy.close()

async def test_is_seen(crucible_run):
    assert looked(crucible_run) == [1]
    assert await shop.count() == (0, 0)

async def test_who_knows_the_url_may_come_at_any_time(crucible_run, crucible):
    looked(crucible_run)
    crucible.url(database="stats")

def test_nobody_came(crucible_run):
    looked(crucible_run)

def test_still_looked_at(crucible_run):
    assert looked(crucible_run) == [1]
"""


def test_only_databases_that_were_used_are_looked_at(shop):
    """One that no connection was used of has not changed; a connection that a thread gives back later was used."""
    result = shop.run(LOOKED_AT)
    result.assert_outcomes(passed=9)


@pytest.mark.slow
def test_clone_isolation_takes_all_databases(shop):
    """What no reset puts back is gone from both."""
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.mark.parametrize("n", range(2))
        @pytest.mark.crucible(isolation="clone")
        async def test_it(n):
            for engine in (shop.engine, shop.stats):
                async with engine.begin() as connection:
                    assert await connection.scalar(text("SELECT count(*) FROM pg_largeobject_metadata")) == 0
                    await connection.execute(text("SELECT lo_create(0)"))
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_failed_test_keeps_all_databases(shop):
    """Each kept database holds what the test left in it, under a name that says which it is."""
    result = shop.run(
        """
        async def test_fails(async_client):
            await async_client.post("/orders", params={"item": "a"})
            assert False

        async def test_after(async_client):
            import shop
            assert await shop.count() == (0, 0)
        """,
        "--crucible-keep-failed",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["crucible: kept crucible_k_test_fails_????????_*", "crucible: kept crucible_k_test_fails_stats_????????_*"]
    )
    kept = shop.databases("crucible_k_")
    assert [
        shop.ask(name, f"SELECT item FROM {table}") for name, table in zip(kept, ("orders", "sales"), strict=True)
    ] == [[("a",)]] * 2
    shop.drop(kept)


WIDER = """
import pytest
import shop
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession

@pytest.fixture(scope="class")
async def stocked():
    async with AsyncSession(shop.engine) as session, AsyncSession(shop.stats) as other:
        session.add(shop.Order(item="first"))
        other.add(shop.Sale(item="first"))
        await session.commit()
        await other.commit()

class TestStocked:
    @pytest.mark.parametrize("n", range(3))
    async def test_with(self, n, stocked, async_client):
        assert await shop.count() == (1, 1)
        await async_client.post("/orders", params={"item": "second"})
        assert await shop.count() == (2, 2)

    async def test_schema(self, stocked):
        assert await shop.count() == (1, 1)
        async with shop.stats.begin() as connection:
            await connection.execute(text("ALTER TABLE sales ADD COLUMN more int"))

    async def test_after_a_fresh_clone(self, stocked):
        assert await shop.count() == (1, 1)

async def test_without():
    assert await shop.count() == (0, 0)

class TestSchema:
    @pytest.fixture(scope="class")
    @classmethod
    def wider(cls):
        with shop.stats_sync.begin() as connection:
            connection.execute(text("CREATE TABLE tally (n int)"))
            connection.execute(text("INSERT INTO tally VALUES (1)"))
        engine = create_engine("postgresql+psycopg:///shop", poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO orders (item) VALUES ('x')"))

    @pytest.mark.parametrize("n", range(2))
    async def test_tally(self, n, wider):
        assert await shop.count() == (1, 0)
        with shop.stats_sync.begin() as connection:
            assert connection.scalar(text("SELECT count(*) FROM tally")) == 1
            connection.execute(text("DELETE FROM tally"))

async def test_without_the_schema():
    assert await shop.count() == (0, 0)
    with shop.stats_sync.begin() as connection:
        assert connection.scalar(text("SELECT to_regclass('tally')")) is None
"""


@pytest.mark.slow
def test_wider_fixtures_write_to_all_databases(shop):
    """Rows of a module's fixture are there for its tests, in each database, and gone with it."""
    result = shop.run(WIDER)
    result.assert_outcomes(passed=9)


@pytest.mark.slow
def test_a_wider_fixture_comes_too_late_for_any_database(shop):
    """Rows of a test in one database cannot be told from a wider fixture's in the same, whichever it is."""
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.fixture(scope="module")
        def late():
            with shop.stats_sync.begin() as connection:
                connection.execute(text("INSERT INTO sales (item) VALUES ('b')"))

        def test_it(request):
            with shop.stats_sync.begin() as connection:
                connection.execute(text("INSERT INTO sales (item) VALUES ('a')"))
            request.getfixturevalue("late")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*UsageError: The fixture 'late' of a wider scope has written *"])


@pytest.mark.slow
def test_rollback_isolation_is_the_main_databases(shop):
    """The session's outer transaction is in the main database; what is committed to another one is put back."""
    result = shop.run("""
        import pytest
        import shop

        @pytest.mark.parametrize("n", range(2))
        @pytest.mark.crucible(isolation="rollback")
        async def test_it(n, db_session, async_client):
            assert await shop.count() == (0, 0)
            db_session.add(shop.Order(item="a"))
            await db_session.commit()
            async with shop.AsyncSession(shop.stats) as session:
                session.add(shop.Sale(item="a"))
                await session.commit()
            assert await shop.count() == (0, 1)

        @pytest.mark.crucible(isolation="rollback")
        async def test_fails_of_itself(db_session):
            db_session.add(shop.Order(item="a"))
            await db_session.commit()
            async with shop.AsyncSession(shop.stats) as session:
                session.add(shop.Sale(item="a"))
                await session.commit()
            assert False
    """)
    result.assert_outcomes(passed=2, failed=1)
    assert "meanwhile the database was used elsewhere" not in result.stdout.str()


@pytest.mark.slow
def test_a_transaction_left_open_in_any_database_is_a_leak(shop):
    """It is ended and reported, and what blocks what must be put back is out of the way."""
    result = shop.run(
        """
        import shop
        from sqlalchemy import text

        async def test_leaks(async_client):
            await async_client.post("/orders", params={"item": "a"})
            global left
            left = shop.stats_sync.connect()
            left.execute(text("UPDATE sales SET item = 'b'"))

        async def test_after():
            assert await shop.count() == (0, 0)
            left.invalidate()
            left.close()
        """,
        "-W",
        "default::pytest_crucible.LeakWarning",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*LeakWarning: *that has written: *UPDATE sales SET item = *"])


@pytest.mark.slow
def test_the_watchdog_watches_all_databases(shop):
    """A test that waits for a row that it holds itself, in another database than the main one, fails."""
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.fixture(autouse=True)
        def impatient(crucible_run, monkeypatch):
            monkeypatch.setattr(crucible_run.isolation.watchdog, "limit", 0.2)

        async def test_waits_for_itself(async_client):
            async with shop.stats.connect() as connection:
                await connection.execute(text("INSERT INTO sales (item) VALUES ('a')"))
                await async_client.post("/orders", params={"item": "a"})
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*BlockedError: *a statement waited 0.2 s for a transaction that is idle*"])


@pytest.mark.slow
def test_workers_share_each_template(shop):
    """Under pytest-xdist every template is built once, and each worker has databases of its own."""
    text = (shop.root / "shop.py").read_text("utf-8")
    shop.write(
        "shop.py", text.replace("    item: Mapped[str]", "    worker: Mapped[str | None]\n    item: Mapped[str]")
    )
    result = shop.run(
        """
        import pytest
        import shop

        @pytest.mark.parametrize("n", range(30))
        async def test_it(n, async_client):
            assert await shop.count() == (0, 0)
            await async_client.post("/orders", params={"item": "a"})
            assert await shop.count() == (1, 1)
        """,
        "-n2",
        "--dist=worksteal",
        process=True,
    )
    result.assert_outcomes(passed=30)
    result.stdout.fnmatch_lines(["crucible: 2 templates built*"])
    assert shop.databases("crucible_w_") == []


@pytest.mark.slow
def test_a_session_that_is_bound_to_several_databases(shop):
    """One session of the application's writes to two databases, and both are put back."""
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import async_sessionmaker

        Session = async_sessionmaker(binds={shop.Base: shop.engine, shop.Stats: shop.stats})

        @pytest.mark.parametrize("n", range(2))
        async def test_it(n):
            async with Session() as session:
                session.add_all([shop.Order(item="a"), shop.Sale(item="a")])
                await session.commit()
                assert (await session.scalars(select(shop.Order.id))).all() == [1]
                assert (await session.scalars(select(shop.Sale.id))).all() == [1]
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_what_a_lifespan_writes_to_any_database_stays(shop):
    """Start-up rows are a layer in each database, and are written anew where DDL costs a fresh clone."""
    text = (shop.root / "shop.py").read_text("utf-8")
    lifespan = """
import contextlib


@contextlib.asynccontextmanager
async def lifespan(app):
    async with AsyncSession(engine) as session, AsyncSession(stats) as other:
        session.add(Order(item="at start"))
        other.add(Sale(item="at start"))
        await session.commit()
        await other.commit()
    yield


app = FastAPI(lifespan=lifespan)
"""
    shop.write("shop.py", text.replace("app = FastAPI()", lifespan))
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.mark.parametrize("n", range(4))
        async def test_it(n, async_client):
            assert await shop.count() == (1, 1)
            await async_client.post("/orders", params={"item": "a"})
            if n in (1, 2):
                with shop.stats_sync.begin() as connection:
                    connection.execute(text("ALTER TABLE sales ADD COLUMN more int"))
    """)
    result.assert_outcomes(passed=4)


@pytest.mark.slow
def test_a_database_that_cannot_be_made_fails_who_needs_it(shop):
    """Tests of the other databases go on."""
    shop.configure('crucible_databases = ["stats=broken:metadata"]')
    shop.write(
        "broken.py",
        """
        from sqlalchemy import DDL, Column, Integer, MetaData, Table, event

        metadata = MetaData()
        Table("t", metadata, Column("n", Integer))
        event.listen(metadata, "after_create", DDL("CREATE NONSENSE"))
        """,
    )
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.mark.parametrize("n", range(2))
        def test_other(n):
            shop.stats_sync.connect()

        @pytest.mark.parametrize("n", range(2))
        def test_main(n, sync_session):
            sync_session.add(shop.Order(item="a"))
            sync_session.commit()
            assert sync_session.scalars(text("SELECT id FROM orders")).all() == [1]
    """)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*TemplateError: The template could not be built: create_all() of broken:metadata*"])


@pytest.mark.slow
def test_a_database_that_is_lost_takes_no_other_along(shop):
    """A test that drops one database fails, and so does who needs that; the rows of the others are put back."""
    result = shop.run("""
        import psycopg
        import shop
        from sqlalchemy import text

        async def test_drops(async_client, crucible_run):
            await async_client.post("/orders", params={"item": "a"})
            with psycopg.connect(**crucible_run.worker.server.connect().address.libpq(), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {crucible_run.worker.names[1]} WITH (FORCE)")

        def test_main(sync_session):
            assert sync_session.scalars(text("SELECT id FROM orders")).all() == []

        def test_stats():
            shop.stats_sync.connect()
    """)
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*ServerError: The worker database crucible_w_* was lost*"])
