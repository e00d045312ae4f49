import pytest
from app import engine


def run(*statements):
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return result.scalars().all() if result.returns_rows else None


@pytest.mark.parametrize("n", range(2))
def test_set(n):
    run(f"SET app.tenant = 'a{n}'")
    assert run("SELECT current_setting('app.tenant')") == [f"a{n}"]


@pytest.mark.parametrize("n", range(2))
def test_set_config(n):
    run(f"SELECT set_config('app.user', 'u{n}', false)")
    assert run("SELECT current_setting('app.user')") == [f"u{n}"]


def test_set_local():
    run("SET LOCAL app.here = 'x'")
    assert run("SELECT coalesce(current_setting('app.here', true), '')") == [""]


@pytest.mark.parametrize("n", range(2))
def test_prepare(n):
    run(f"PREPARE two{n} AS SELECT 2")
    assert run(f"EXECUTE two{n}") == [2]
    run(f"DEALLOCATE two{n}")


@pytest.mark.parametrize("n", range(2))
def test_with_hold(n):
    run("INSERT INTO rows DEFAULT VALUES", f"DECLARE c{n} CURSOR WITH HOLD FOR SELECT count(*) FROM rows")
    assert run(f"FETCH ALL FROM c{n}") == [1]
    run(f"CLOSE c{n}")


def test_set_role():
    run("SET ROLE app")
    assert run("SELECT current_user") == ["app"]
    run("RESET ROLE")


def test_statement_timeout():
    run("SET statement_timeout = '4s'")
    assert run("SHOW statement_timeout") == ["4s"]
    run("RESET statement_timeout")
