"""Applications with many tenants: a schema for each, or rows that row-level security keeps apart."""

from __future__ import annotations

import pytest

SCHEMAS = """
from fastapi import FastAPI
from sqlalchemy import ForeignKey, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateSchema

app = FastAPI()
engine = create_async_engine("postgresql+asyncpg://app@db.production.invalid/shop")


class Base(DeclarativeBase):
    pass


class Plan(Base):
    __tablename__ = "plans"
    __table_args__ = {"schema": "shared"}
    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "orders"
    __table_args__ = {"schema": "tenant"}
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("shared.plans.id"))


def of(tenant):
    return engine.execution_options(schema_translate_map={"tenant": tenant})


def session(tenant):
    return AsyncSession(of(tenant), expire_on_commit=False)


async def make(tenant):
    async with of(tenant).begin() as connection:
        await connection.execute(CreateSchema(tenant))
        await connection.run_sync(Base.metadata.create_all)
"""

LOAD = """
import shop


async def load():
    for tenant in ("acme", "initech"):
        await shop.make(tenant)
        async with shop.session(tenant) as session:
            session.add(shop.Order(item=f"first of {tenant}"))
            await session.commit()
"""


@pytest.fixture
def tenants(shop):
    """Return a schema for each tenant; two of them are in the template."""
    shop.configure("""
        crucible_databases = []
        crucible_load = "filling:load"
    """)
    shop.write("shop.py", SCHEMAS)
    shop.write("filling.py", LOAD)
    return shop


@pytest.mark.slow
def test_a_schema_for_each_tenant(tenants):
    """Tables and sequences that crucible_load makes are put back like any other; those that a test makes are gone."""
    result = tenants.run("""
        import pytest
        import shop
        from sqlalchemy import select, text

        async def rows(tenant):
            async with shop.session(tenant) as session:
                return [(order.id, order.item) for order in await session.scalars(select(shop.Order))]

        @pytest.mark.parametrize("n", range(2))
        async def test_writes(n, crucible_run):
            for tenant in ("acme", "initech"):
                assert await rows(tenant) == [(1, f"first of {tenant}")]
                async with shop.session(tenant) as session:
                    session.add(shop.Order(item="second"))
                    await session.commit()
                assert (await rows(tenant))[1:] == [(2, "second")]
            assert crucible_run.worker.main.generation == 1

        @pytest.mark.parametrize("n", range(2))
        async def test_a_new_tenant(n):
            await shop.make("hooli")
            async with shop.session("hooli") as session:
                session.add(shop.Order(item="a"))
                await session.commit()
            assert await rows("hooli") == [(1, "a")]
            assert len(await rows("acme")) == 1

        async def test_nothing_is_left():
            async with shop.engine.connect() as connection:
                schemas = text("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'")
                found = set((await connection.scalars(schemas)).all())
            assert found == {"acme", "initech", "shared", "tenant"}
    """)
    result.assert_outcomes(passed=5)


@pytest.mark.slow
def test_sessions_of_the_fixtures_in_a_tenants_schema(tenants):
    """A session of the fixtures is a tenant's by an execution option, in each isolation."""
    result = tenants.run("""
        import pytest
        import shop
        from sqlalchemy import select

        @pytest.mark.parametrize("n", range(2))
        class TestIt:
            async def test_reset(self, n, db_session): await self.check(db_session)

            @pytest.mark.crucible(isolation="rollback")
            async def test_rollback(self, n, db_session): await self.check(db_session)

            @pytest.mark.crucible(isolation="clone")
            async def test_clone(self, n, db_session): await self.check(db_session)

            async def check(self, session):
                await session.connection(execution_options={"schema_translate_map": {"tenant": "acme"}})
                session.add(shop.Order(item="second"))
                await session.flush()
                assert (await session.scalars(select(shop.Order.item))).all() == ["first of acme", "second"]
                await session.commit()
    """)
    result.assert_outcomes(passed=6)


SECURITY = """
from fastapi import FastAPI
from sqlalchemy import DDL, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()
engine = create_async_engine("postgresql+asyncpg://app@db.production.invalid/shop", pool_size=1, max_overflow=0)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(server_default=text("current_setting('app.tenant')"))
    item: Mapped[str]


for statement in (
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE orders FORCE ROW LEVEL SECURITY",
    "CREATE POLICY own ON orders USING (tenant = current_setting('app.tenant', true))",
):
    event.listen(Base.metadata, "after_create", DDL(statement))


async def ask(tenant, statement):
    async with engine.begin() as connection:
        await connection.execute(text("SELECT set_config('app.tenant', :tenant, true)"), {"tenant": tenant})
        result = await connection.execute(text(statement))
        return result.all() if result.returns_rows else None
"""


ROW_SECURITY = """
import pytest
import shop
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

@pytest.mark.parametrize("n", range(3))
async def test_rows_of_one_tenant(n, crucible_run):
    assert await shop.ask("acme", "SELECT id, item FROM orders") == [(1, "loaded")]
    await shop.ask("acme", "UPDATE orders SET item = 'changed'")
    await shop.ask("initech", "INSERT INTO orders (item) VALUES ('a')")
    assert await shop.ask("initech", "SELECT id, tenant, item FROM orders") == [(2, "initech", "a")]
    assert await shop.ask("initech", "DELETE FROM orders RETURNING id") == [(2,)]
    assert await shop.ask("acme", "SELECT item FROM orders") == [("changed",)]
    with pytest.raises(DBAPIError, match="row-level security"):
        await shop.ask("acme", "INSERT INTO orders (tenant, item) VALUES ('initech', 'a')")
    assert crucible_run.worker.main.generation == 1

async def test_policies_are_put_back():
    async with shop.engine.begin() as connection:
        await connection.execute(text("DROP POLICY own ON orders"))

async def test_after():
    assert await shop.ask("acme", "SELECT item FROM orders") == [("loaded",)]
    assert await shop.ask("initech", "SELECT item FROM orders") == []
"""


def test_row_level_security(shop):
    """Policies bind the owner as in production, where they are forced, and do not hinder the reset."""
    shop.configure("""
        crucible_databases = []
        crucible_load = "filling:load"
    """)
    shop.write("shop.py", SECURITY)
    shop.write(
        "filling.py",
        """
        from shop import Order
        from sqlalchemy import text

        async def load(session):
            await session.execute(text("SET LOCAL app.tenant = 'acme'"))
            session.add(Order(item="loaded"))
        """,
    )
    result = shop.run(ROW_SECURITY)
    result.assert_outcomes(passed=5)


@pytest.mark.slow
def test_settings_of_a_session_live_as_long_as_in_production(shop):
    """SET on a pooled connection is there at its next checkout in the test; the next test gets another connection."""
    shop.configure("crucible_databases = []")
    shop.write("shop.py", SECURITY)
    result = shop.run("""
        import shop
        from sqlalchemy import event, text

        TENANT = text("SELECT current_setting('app.tenant', true)")

        async def tenant(statement=None):
            async with shop.engine.begin() as connection:
                if statement:
                    await connection.execute(text(statement))
                return await connection.scalar(TENANT)

        async def test_local(): assert await tenant("SET LOCAL app.tenant = 'acme'") == "acme"
        async def test_after_local(): assert await tenant() == ""
        async def test_of_the_session():
            assert await tenant("SET app.tenant = 'acme'") == "acme"
            assert await tenant() == "acme"

        async def test_after_that(): assert await tenant() in (None, "")

        async def test_an_application_that_resets_its_connections():
            @event.listens_for(shop.engine.sync_engine, "reset")
            def reset(connection, record, state):
                if not state.terminate_only:
                    cursor = connection.cursor()
                    cursor.execute("RESET ALL")
                    connection.commit()
            assert await tenant("SET app.tenant = 'acme'") == "acme"
            assert await tenant() in (None, "")
    """)
    result.assert_outcomes(passed=5)
