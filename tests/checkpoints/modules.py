"""Test modules that run both on an embedded server and on an external one."""

from __future__ import annotations

SYNCHRONOUS = """
@pytest.fixture(scope="module", autouse=True)
def seed():
    add("seed")

def test_rows_and_sequences(crucible):
    add("before")
    with crucible.checkpoint():
        add("inside")
        run("UPDATE users SET name = 'seed!' WHERE name = 'seed'")
        run("DELETE FROM users WHERE name = 'before'")
        assert names() == ["inside", "seed!"] and next_id() == 4
    assert names() == ["before", "seed"] and next_id() == 3

def test_is_clean(): assert names() == ["seed"] and next_id() == 2

def test_rounds(crucible):
    add("before")
    with crucible.checkpoint() as checkpoint:
        for _ in range(5):
            add("inside")
            assert names() == ["before", "inside", "seed"] and next_id() == 4
            checkpoint.reset()
            assert names() == ["before", "seed"]
    assert names() == ["before", "seed"] and next_id() == 3

def test_nested(crucible):
    with crucible.checkpoint() as outer:
        for _ in range(2):
            add("a")
            with crucible.checkpoint() as inner:
                for _ in range(2):
                    run("DELETE FROM users")
                    assert next_id() == 3
                    inner.reset()
                    assert names() == ["a", "seed"]
                add("b")
            with crucible.checkpoint():
                add("c")
                with crucible.checkpoint():
                    run("TRUNCATE users RESTART IDENTITY")
                    assert next_id() == 1
                assert names() == ["a", "c", "seed"] and next_id() == 4
            assert names() == ["a", "seed"] and next_id() == 3
            outer.reset()
            assert names() == ["seed"]
    assert names() == ["seed"] and next_id() == 2

def test_one_after_the_other(crucible):
    for number in range(3):
        add(f"before {number}")
        with crucible.checkpoint():
            assert len(names()) == number + 2
            add("inside")
    assert names() == ["before 0", "before 1", "before 2", "seed"]

def test_an_error_of_the_block(crucible):
    add("before")
    with pytest.raises(ZeroDivisionError), crucible.checkpoint():
        add("inside")
        1 / 0
    assert names() == ["before", "seed"]

def test_a_block_that_never_ends(crucible):
    add("before")
    crucible.checkpoint().__enter__().reset()
    add("inside")

def test_subtests(crucible, subtests):
    add("before")
    for name in "ab":
        with subtests.test(name), crucible.checkpoint():
            add(name)
            assert names() == sorted(["before", "seed", name])

def test_is_clean_again(): assert names() == ["seed"] and next_id() == 2

@pytest.mark.crucible(isolation="clone")
def test_of_a_clone(crucible):
    add("before")
    with crucible.checkpoint() as checkpoint:
        add("inside")
        checkpoint.reset()
        add("inside")
    assert names() == ["before", "seed"] and next_id() == 3

def test_is_clean_after_the_clone(): assert names() == ["seed"] and next_id() == 2
"""

SCHEMA = """
@pytest.fixture(scope="module", autouse=True)
def seed():
    add("seed")

async def test_in_a_block(crucible, db_session, async_client):
    db_session.add(User(name="before"))
    await db_session.commit()
    with crucible.checkpoint() as checkpoint:
        for number in range(2):
            run("ALTER TABLE users ADD extra int")
            (await async_client.post("/users", params={"name": "inside"})).raise_for_status()
            await db_session.execute(text("DROP TABLE users"))
            await db_session.commit()
            checkpoint.reset()
            assert names() == ["before", "seed"] and next_id() == 3
    assert names() == ["before", "seed"]
    assert await db_session.scalar(select(func.count()).select_from(User)) == 2
    add("inside")

def test_is_clean(): assert names() == ["seed"] and next_id() == 2

def test_before_a_block(crucible, sync_session):
    add("before")
    run("CREATE TABLE more (id int)")
    with crucible.checkpoint() as checkpoint:
        for _ in range(2):
            run("INSERT INTO more VALUES (1)")
            add("inside")
            checkpoint.reset()
            assert run("SELECT * FROM more") == [] and names() == ["before", "seed"]
    run("INSERT INTO more VALUES (1)")
    with crucible.checkpoint():
        run("DROP TABLE more")
    assert run("SELECT * FROM more") == [(1,)] and names() == ["before", "seed"]

def test_is_clean_again():
    assert names() == ["seed"] and next_id() == 2
    assert run("SELECT to_regclass('more')") == [(None,)]

def test_after_a_block(crucible):
    add("before")
    with crucible.checkpoint():
        add("inside")
        with crucible.checkpoint():
            add("more")
        run("CREATE TABLE more (id int)")
    assert names() == ["before", "seed"] and run("SELECT to_regclass('more')") == [(None,)]
    run("CREATE TABLE more (id int)")

def test_is_clean_at_last():
    assert names() == ["seed"] and next_id() == 2
    assert run("SELECT to_regclass('more')") == [(None,)]
"""
