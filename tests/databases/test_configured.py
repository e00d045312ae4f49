"""What a project says of its databases, and where it leads."""

from __future__ import annotations

import psycopg
import pytest


@pytest.mark.slow
def test_urls_of_each_database(shop):
    """A raw driver gets a database's URL from the handle, and an engine made of it leads there, whatever it says."""
    result = shop.run("""
        import psycopg
        import pytest
        import shop
        from sqlalchemy import create_engine, text
        from pytest_crucible import UsageError

        @pytest.mark.parametrize("n", range(2))
        def test_raw(n, crucible, database_url):
            with psycopg.connect(crucible.url(database="stats")) as connection:
                connection.execute("INSERT INTO sales (item) VALUES ('a')")
            engine = create_engine(crucible.url("postgresql+psycopg", database="stats"))
            with engine.connect() as connection:
                assert connection.execute(text("SELECT id, item FROM sales")).all() == [(1, "a")]
            engine.dispose()
            with psycopg.connect(database_url) as connection:
                connection.execute("INSERT INTO orders (item) VALUES ('a')")
            assert crucible.url(database="stats") != crucible.url() == database_url

        def test_unknown(crucible):
            with pytest.raises(UsageError) as caught:
                crucible.url(database="statistics")
            assert str(caught.value).splitlines() == [
                "There is no database 'statistics' here.",
                "These are named: 'stats'.",
                'Write crucible_databases = ["statistics=package.module:Base"], or give no name for the main one.',
            ]
    """)
    result.assert_outcomes(passed=3)


@pytest.mark.slow
def test_the_first_database_is_the_main_one_where_nothing_else_says_so(shop):
    """A project may name each of its databases, without crucible_metadata."""
    shop.configure("""
        crucible_metadata = []
        crucible_databases = ["shop=shop:Base", "stats=shop:Stats"]
    """)
    result = shop.run("""
        import shop
        from sqlalchemy import text

        async def test_it(db_session, async_client, crucible):
            await async_client.post("/orders", params={"item": "a"})
            assert await db_session.scalar(text("SELECT item FROM orders")) == "a"
            assert await shop.count() == (1, 1)
            assert crucible.url(database="shop") == crucible.url()
    """)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*leads to the main database*")


@pytest.mark.slow
def test_several_bases_in_one_database(shop):
    """Entries of one name are one database."""
    shop.configure('crucible_databases = ["stats=shop:Stats", "stats=more:metadata"]')
    shop.write(
        "more.py", "from sqlalchemy import *\nmetadata = MetaData()\nTable('visits', metadata, Column('n', Integer))"
    )
    result = shop.run("""
        import shop
        from sqlalchemy import text

        def test_it():
            with shop.stats_sync.begin() as connection:
                connection.execute(text("INSERT INTO visits SELECT count(*) FROM sales"))
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_names_that_stand_nowhere_are_listed_once(shop):
    """An engine to a database that has no entry leads to the main one, and the end of the run says so."""
    result = shop.run("""
        from sqlalchemy import NullPool, create_engine, text

        def test_it():
            for name in ("shop", "audit", "audit"):
                engine = create_engine(f"postgresql+psycopg://app@nowhere.invalid/{name}", poolclass=NullPool)
                with engine.begin() as connection:
                    connection.execute(text("INSERT INTO orders (item) VALUES ('a')"))
    """)
    result.assert_outcomes(passed=1)
    lines = [line for line in result.outlines if "leads to the main" in line]
    said = "crucible: database '{}' leads to the main database: crucible_databases does not name it"
    assert lines == [said.format("shop"), said.format("audit")]


@pytest.mark.slow
def test_a_database_that_nobody_needs_is_not_made(shop):
    """Naming a database costs nothing before an engine leads to it."""
    shop.configure('crucible_databases = ["stats=shop:Stats", "idle=shop:Stats"]')
    result = shop.run("""
        def test_it(crucible_run, sync_session):
            from sqlalchemy import text
            sync_session.execute(text("SELECT 1"))
            names = crucible_run.worker.names
            found = sync_session.execute(text("SELECT datname FROM pg_database")).scalars().all()
            assert [name in found for name in names] == [True, True, False]
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_each_database_belongs_to_the_role_that_its_engine_names(shop):
    """The owner of a schema is the role in the URLs of the engines to that database."""
    shop.write(
        "shop.py",
        (shop.root / "shop.py")
        .read_text("utf-8")
        .replace("app:secret@db.production.invalid/stats", "analyst@warehouse.invalid/stats"),
    )
    result = shop.run("""
        import shop
        from sqlalchemy import text

        async def test_it():
            owner = text("SELECT tableowner, current_user FROM pg_tables WHERE tablename IN ('orders', 'sales')")
            async with shop.engine.connect() as connection:
                assert (await connection.execute(owner)).one() == ("app", "app")
            async with shop.stats.connect() as connection:
                assert (await connection.execute(owner)).one() == ("analyst", "analyst")
    """)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*joins*")


@pytest.mark.slow
def test_tables_made_at_import_in_any_database(shop):
    """An application that creates its tables when it is imported gets them where its engines lead."""
    shop.write(
        "shop.py",
        (shop.root / "shop.py")
        .read_text("utf-8")
        .replace(
            "app = FastAPI()",
            """
Stats.metadata.create_all(stats_sync)
with Session(stats_sync) as session:
    session.add(Sale(item="at import"))
    session.commit()

app = FastAPI()
""",
        ),
    )
    result = shop.run("""
        import pytest
        import shop

        @pytest.mark.parametrize("n", range(2))
        async def test_it(n, async_client):
            assert await shop.count() == (0, 1)
            await async_client.post("/orders", params={"item": "a"})
            assert await shop.count() == (1, 2)
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_what_fills_a_template_stays_in_its_database(shop):
    """Data for another database than the main one would be in no template: crucible_load must not write it."""
    shop.configure('crucible_load = "filling:load"')
    shop.write(
        "filling.py",
        """
        import shop
        from sqlalchemy import text

        def load():
            with shop.stats_sync.begin() as connection:
                connection.execute(text("INSERT INTO sales (item) VALUES ('a')"))
    """,
    )
    result = shop.run("def test_it(sync_session): sync_session.connection()")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*UsageError: A template is being built, and what fills it connects to the database 'stats'.",
            "*crucible_load fills the main one only.",
            "*Fill 'stats' in a session-scoped fixture: what that commits stays for all tests.",
        ]
    )


@pytest.mark.slow
def test_data_for_the_main_database_only(shop):
    """crucible_load fills the main database, once."""
    shop.configure('crucible_load = "filling:load"')
    shop.write(
        "filling.py",
        """
        from shop import Order

        def load(session):
            session.add(Order(item="loaded"))
    """,
    )
    result = shop.run("""
        async def test_it():
            import shop
            assert await shop.count() == (1, 0)
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_data_over_an_engine_that_waits_for_them(shop):
    """A pool of one connection has it for what fills the template, which is ready before the test connects."""
    text = (shop.root / "shop.py").read_text("utf-8")
    small = ", pool_size=1, max_overflow=0, pool_timeout=0.2)\nstats ="
    shop.write("shop.py", text.replace(")\nstats =", small, 1))
    shop.configure('crucible_load = "filling:load"')
    shop.write("filling.py", "import shop\n\nasync def load():\n    async with shop.engine.connect():\n        pass\n")
    result = shop.run("import shop\nasync def test_it():\n    async with shop.engine.connect(): pass")
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_further_database_built_by_migrating(shop):
    """Each database has migrations of its own, whose env.py connects by the application's URL."""
    shop.configure('crucible_databases = ["stats=stats/alembic.ini"]')
    shop.write("stats/alembic.ini", "[alembic]\nscript_location = %(here)s/migrations\n")
    shop.write(
        "stats/migrations/env.py",
        """
        from alembic import context
        from shop import stats_sync

        with stats_sync.connect() as connection:
            context.configure(connection=connection, target_metadata=None)
            with context.begin_transaction():
                context.run_migrations()
        """,
    )
    shop.write(
        "stats/migrations/versions/1_sales.py",
        """
        from alembic import op

        revision, down_revision = "1", None

        def upgrade():
            op.execute("CREATE TABLE sales (id serial PRIMARY KEY, item text UNIQUE)")
        """,
    )
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.mark.parametrize("n", range(2))
        async def test_it(n, async_client):
            await async_client.post("/orders", params={"item": "a"})
            assert await shop.count() == (1, 1)
            with shop.stats_sync.connect() as connection:
                assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [("1",)]
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_extensions_are_in_every_database(shop):
    """Types of an extension are there for the columns of each."""
    shop.configure('crucible_extensions = ["citext"]')
    result = shop.run("""
        import shop
        from sqlalchemy import text

        def test_it(sync_session):
            assert sync_session.scalar(text("SELECT 'A'::citext = 'a'"))
            with shop.stats_sync.connect() as connection:
                assert connection.scalar(text("SELECT 'A'::citext = 'a'"))
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_variables_for_each_database(shop):
    """Code outside SQLAlchemy finds each database by a variable of its own."""
    shop.configure('crucible_url_env = ["SHOP_URL=postgresql", "STATS_URL=postgresql+asyncpg/stats"]')
    result = shop.run("""
        import os
        import psycopg
        import pytest

        @pytest.mark.parametrize("n", range(2))
        def test_it(n):
            with psycopg.connect(os.environ["SHOP_URL"]) as connection:
                connection.execute("INSERT INTO orders (item) VALUES ('a')")
            with psycopg.connect(os.environ["STATS_URL"].replace("+asyncpg", "")) as connection:
                assert connection.execute("INSERT INTO sales (item) VALUES ('a') RETURNING id").fetchone() == (1,)
    """)
    result.assert_outcomes(passed=2)


def test_a_variable_for_a_database_that_stands_nowhere(shop):
    """The error comes before any test, and names what there is."""
    shop.configure('crucible_url_env = ["X=postgresql/statistics"]')
    result = shop.run("def test_it(): pass")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*There is no database 'statistics' here.", "These are named: 'stats'.*"])


def test_errors_name_the_option(shop):
    """What is wrong with an entry of crucible_databases is said of that option."""
    shop.configure('crucible_databases = ["stats=shop:app"]')
    result = shop.run("import shop\ndef test_it(): shop.stats_sync.connect()")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*UsageError: crucible_databases: shop:app is FastAPI, which has no metadata.",
            "*Name one of these: crucible_databases = *",
        ]
    )


@pytest.mark.slow
def test_on_a_server_of_the_users_own(shop):
    """An ordinary role with CREATEDB is enough for several databases: rows, sequences and DDL are put back in each."""
    with psycopg.connect(**shop.share.admin.libpq(), autocommit=True) as connection:
        connection.execute("CREATE ROLE tester LOGIN CREATEDB")
    url = shop.share.admin.to("postgres", user="tester").url()
    shop.configure(f'crucible_server = "{url}"')
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.mark.parametrize("n", range(3))
        async def test_it(n, async_client):
            assert await shop.count() == (0, 0)
            await async_client.post("/orders", params={"item": "a"})
            with shop.stats_sync.begin() as connection:
                assert connection.execute(text("SELECT id FROM sales")).all() == [(1,)]
                connection.execute(text("CREATE TABLE tally (n int)"))
    """)
    result.assert_outcomes(passed=3)
    assert shop.databases("crucible_w_") == []


@pytest.mark.slow
def test_a_database_for_each_tenant(shop):
    """Databases of one schema share a template, and none of them sees another's rows; all their templates stay."""
    names = [f"tenant{number}" for number in range(6)]
    shop.configure(f"crucible_databases = {[f'{name}=shop:Stats' for name in names]}")
    tests = f"""
        import shop
        from sqlalchemy import NullPool, create_engine, text

        def test_it(crucible_run):
            for name in {names}:
                engine = create_engine(f"postgresql+psycopg2://app@nowhere.invalid/{{name}}", poolclass=NullPool)
                with engine.begin() as connection:
                    connection.execute(text("INSERT INTO sales (item) VALUES ('a')"))
                    assert connection.scalar(text("SELECT count(*) FROM sales")) == 1
                with engine.begin() as connection:
                    template = text("SELECT datname FROM pg_database WHERE datistemplate AND datname LIKE 'crucible%'")
                    assert connection.execute(template).all()
            assert len({{one.template.name for one in crucible_run.worker.databases}}) == 1
    """
    shop.run(tests).assert_outcomes(passed=1)
    again = shop.run(tests)
    again.assert_outcomes(passed=1)
    again.stdout.no_fnmatch_line("*template* built*")
