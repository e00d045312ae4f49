"""As whom the application connects: with the privileges that its DDL gives, and no others."""

from __future__ import annotations

import pytest

from pytest_crucible.worker.roles import grantees

ROLES = """
from fastapi import FastAPI
from sqlalchemy import DDL, create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()
owner = create_engine("postgresql+psycopg://app@db.production.invalid/shop")
reporting = create_engine("postgresql+psycopg2://reporting@replica.production.invalid/shop")


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]
    price: Mapped[int]


def ddl(statement):
    event.listen(Base.metadata, "after_create", DDL(statement))


def ask(engine, statement):
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return result.all() if result.returns_rows else None
"""


@pytest.fixture
def granting(shop):
    """Return a shop with one database, and an engine for reports; what DDL says of roles is written by each test."""
    shop.configure("crucible_databases = []")

    def write(*statements: str):
        shop.write("shop.py", ROLES + "".join(f"\nddl({statement!r})" for statement in statements))
        return shop

    return write


def test_a_role_has_what_ddl_grants_and_not_more(granting):
    """Privileges on columns, sequences and future tables, and what was revoked again, are as in production."""
    shop = granting(
        "GRANT SELECT (id, item), UPDATE (item) ON orders TO reporting",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reporting",
        "GRANT INSERT ON orders TO reporting",
        "REVOKE INSERT ON orders FROM reporting",
    )
    result = shop.run("""
        import pytest
        from shop import ask, owner, reporting
        from sqlalchemy.exc import ProgrammingError

        @pytest.mark.parametrize("n", range(2))
        def test_it(n):
            ask(owner, "INSERT INTO orders (item, price) VALUES ('a', 1)")
            assert ask(reporting, "SELECT id, item, current_user FROM orders") == [(1, "a", "reporting")]
            ask(reporting, "UPDATE orders SET item = 'b'")
            for refused in ("SELECT price FROM orders", "INSERT INTO orders VALUES (2, 'c', 3)", "DROP TABLE orders"):
                with pytest.raises(ProgrammingError, match="permission denied|must be owner"):
                    ask(reporting, refused)
            ask(owner, "CREATE TABLE later (n int)")
            assert ask(reporting, "SELECT * FROM later") == []

        @pytest.mark.parametrize("n", range(2))
        def test_privileges_are_put_back(n):
            with pytest.raises(ProgrammingError, match="permission denied"):
                ask(reporting, "SELECT price FROM orders")
            ask(owner, "GRANT ALL ON orders TO reporting")
            ask(reporting, "SELECT price FROM orders")
    """)
    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*joins*")


@pytest.mark.parametrize(
    ("ddl", "found"),
    [
        ("GRANT SELECT ON t TO reader", {"reader"}),
        ('op.execute("grant select\n on t to app_group, \\"reader\\"")', {"reader"}),
        ("GRANT ALL ON t TO readers, app; ALTER TABLE t OWNER TO reader", {"app"}),
        ("op.execute('GRANT ALL ON t TO x')\nop.execute('ALTER TABLE t OWNER TO reader')", set()),
        ("CREATE TABLE t (n int); -- TO reader", set()),
    ],
)
def test_who_is_granted_something(ddl: str, found: set[str]):
    """The text of the DDL tells, in SQL and in the source of a revision."""
    assert grantees(["app", "reader"], ddl.replace('\\"', '"')) == found


@pytest.mark.slow
def test_whoever_is_granted_something_is_not_the_owner(granting):
    """It does not matter which engine was made first: that depends on which test file was imported first."""
    shop = granting("GRANT SELECT ON orders TO reporting")
    text = (shop.root / "shop.py").read_text("utf-8")
    lines = text.splitlines()
    engines = [next(line for line in lines if line.startswith(name)) for name in ("owner = ", "reporting = ")]
    shop.write("shop.py", text.replace("\n".join(engines), "\n".join(reversed(engines))))
    result = shop.run("""
        from shop import ask, reporting

        def test_it():
            owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'orders'"
            assert ask(reporting, owner) == [("app",)]
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_role_that_only_ddl_names(granting):
    """It is created where the DDL is refused for want of it; who owns the schema may become it, and is not it."""
    shop = granting(
        'GRANT SELECT ON orders TO "Night Shift", auditor',
        "CREATE POLICY night ON orders FOR SELECT TO auditor USING (item <> 'secret')",
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    )
    tests = """
        import pytest
        from shop import ask, owner, reporting
        from sqlalchemy import text
        from sqlalchemy.exc import ProgrammingError

        def test_it():
            ask(owner, "INSERT INTO orders (item, price) VALUES ('secret', 1), ('a', 2)")
            with owner.begin() as connection:
                assert connection.scalar(text("SELECT count(*) FROM orders")) == 2
                connection.execute(text("SET LOCAL ROLE auditor"))
                assert connection.execute(text("SELECT item, current_user FROM orders")).all() == [("a", "auditor")]
                with pytest.raises(ProgrammingError, match="permission denied"), connection.begin_nested():
                    connection.execute(text("DELETE FROM orders"))
                connection.execute(text("RESET ROLE"))
                connection.execute(text("DELETE FROM orders"))
    """
    first = shop.run(tests)
    first.assert_outcomes(passed=1)
    first.stdout.fnmatch_lines(
        [
            "crucible: role 'Night Shift' was created, since the DDL names it",
            "crucible: role 'auditor' was created, since the DDL names it",
        ]
    )
    again = shop.run(tests)
    again.assert_outcomes(passed=1)
    again.stdout.no_fnmatch_line("*was created*")


@pytest.mark.slow
def test_a_role_without_privileges_joins_the_owner_for_as_long_as_it_has_none(granting):
    """An application that never thought of roles works; once DDL grants something, that is all there is."""
    tests = """
        from shop import ask, reporting

        def test_it():
            ask(reporting, "INSERT INTO orders (item, price) VALUES ('a', 1)")
    """
    without = granting().run(tests)
    without.assert_outcomes(passed=1)
    without.stdout.fnmatch_lines(["crucible: role 'reporting' has no privileges of its own: it joins 'app', *"])
    granted = granting("GRANT SELECT ON orders TO reporting").run(tests)
    granted.assert_outcomes(failed=1)
    granted.stdout.fnmatch_lines(["*permission denied for table orders*"])
    granted.stdout.no_fnmatch_line("*joins*")


@pytest.mark.slow
def test_ddl_that_creates_roles(granting):
    """The role that builds the template may create roles, as when migrating in production; the application may not."""
    exists = "SELECT FROM pg_roles WHERE rolname = 'porter'"
    create = f"DO $$ BEGIN IF NOT EXISTS ({exists}) THEN CREATE ROLE porter; END IF; END $$"
    tests = """
        import pytest
        from shop import ask, owner
        from sqlalchemy.exc import ProgrammingError

        def test_it():
            assert ask(owner, "SELECT has_table_privilege('porter', 'orders', 'SELECT')") == [(True,)]
            with pytest.raises(ProgrammingError, match="permission denied to create role"):
                ask(owner, "CREATE ROLE another")
    """
    for grant in ("GRANT SELECT ON orders TO porter", "GRANT SELECT, INSERT ON orders TO porter"):
        granting(create, grant).run(tests).assert_outcomes(passed=1)


@pytest.mark.slow
def test_ddl_that_creates_a_role_which_is_there(granting):
    """Roles belong to the server: a second template of the same DDL finds the first one's."""
    result = granting("CREATE ROLE reporting").run("import shop\ndef test_it(): shop.ask(shop.owner, 'SELECT 1')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '*TemplateError: *role "reporting" already exists*',
            "*Roles belong to the server, not to a database: *",
            "*Let the DDL ask first: IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reporting') THEN CREATE *",
        ]
    )


@pytest.mark.slow
def test_a_role_that_a_server_of_the_users_own_lacks(granting):
    """There, only its administrator creates roles."""
    shop = granting("GRANT SELECT ON orders TO clerk")
    shop.configure(f"""
        crucible_databases = []
        crucible_server = "{shop.share.admin.url()}"
    """)
    result = shop.run("import shop\ndef test_it(): shop.ask(shop.owner, 'SELECT 1')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '*TemplateError: *role "clerk" does not exist*',
            "*What fills the template names the role 'clerk'. Crucible creates no roles on a server of your own.",
            '*Let an administrator run: CREATE ROLE "clerk"',
        ]
    )


READER = """
from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()
writer = create_async_engine("postgresql+asyncpg://app@primary.production.invalid/shop")
readers = [
    create_async_engine(
        "postgresql+asyncpg://app@replica.production.invalid/shop",
        connect_args={
            "target_session_attrs": "prefer-standby",
            "server_settings": {"default_transaction_read_only": "on"},
        },
    ),
    create_async_engine(
        "postgresql+psycopg://app@replica-1.invalid,replica-2.invalid/shop?target_session_attrs=standby",
        connect_args={"options": "-c default_transaction_read_only=on"},
    ),
]
reader = create_engine(
    "postgresql+psycopg2://app@replica.production.invalid/shop?target_session_attrs=read-only",
    execution_options={"postgresql_readonly": True},
)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]
"""


@pytest.mark.slow
def test_reader_and_writer(shop):
    """Engines to a replica lead to the same database: they read what was committed, and may not write."""
    shop.configure("crucible_databases = []")
    shop.write("shop.py", READER)
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text
        from sqlalchemy.exc import DBAPIError

        @pytest.mark.parametrize("n", range(2))
        async def test_it(n):
            async with shop.writer.begin() as connection:
                await connection.execute(text("INSERT INTO orders (item) VALUES ('a')"))
            for engine in shop.readers:
                async with engine.connect() as connection:
                    assert (await connection.execute(text("SELECT id, item FROM orders"))).all() == [(1, "a")]
                    with pytest.raises(DBAPIError, match="read-only transaction"):
                        await connection.execute(text("INSERT INTO orders (item) VALUES ('b')"))
            with shop.reader.connect() as connection:
                assert connection.execute(text("SELECT id, item FROM orders")).all() == [(1, "a")]
                with pytest.raises(DBAPIError, match="read-only transaction"):
                    connection.execute(text("INSERT INTO orders (item) VALUES ('b')"))

        @pytest.mark.parametrize("n", range(2))
        @pytest.mark.crucible(isolation="rollback")
        async def test_in_rollback_isolation_a_reader_sees_only_what_is_committed(n, db_session):
            db_session.add(shop.Order(item="a"))
            await db_session.commit()
            async with shop.readers[0].connect() as connection:
                assert (await connection.execute(text("SELECT item FROM orders"))).all() == []
    """)
    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*leads to the main database*")
