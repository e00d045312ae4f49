"""State machines of Hypothesis: each run starts from the state in which its test found the database."""

from __future__ import annotations

MACHINE = """
from hypothesis import settings, strategies as st
from hypothesis.stateful import invariant, run_state_machine_as_test, rule
from pytest_crucible import UsageError
from pytest_crucible.stateful import DatabaseStateMachine

quick = settings(max_examples=10, stateful_step_count=5, database=None, deadline=None)
SEEN = []

@pytest.fixture(scope="module", autouse=True)
def seed():
    add("seed")

class Machine(DatabaseStateMachine):
    def __init__(self):
        super().__init__()
        self.names = {"seed"}
        SEEN.append(names())

    @rule(name=st.text("abc", min_size=1))
    def post(self, name):
        code = self.client.post("/users/careful", params={"name": name}).status_code
        assert code == (500 if name in self.names else 200)
        self.names.add(name)

    @rule()
    def remove(self):
        self.session.execute(text("DELETE FROM users"))
        self.session.commit()
        self.names.clear()

    @invariant()
    def is_same(self):
        assert set(self.session.scalars(select(User.name))) == self.names

TestMachine = Machine.TestCase
TestMachine.settings = quick

def test_each_run_began_alike():
    assert len(SEEN) > 5 and set(map(tuple, SEEN)) == {("seed",)}

def test_within_a_test(crucible):
    run("DELETE FROM users")
    SEEN.clear()

    class Empty(Machine):
        def __init__(self):
            super().__init__()
            self.names.clear()

    run_state_machine_as_test(Empty, settings=quick)
    assert len(SEEN) > 5 and set(map(tuple, SEEN)) == {()}

def test_is_clean():
    assert names() == ["seed"] and next_id() == 2

@pytest.mark.crucible(isolation="rollback")
def test_rollback():
    with pytest.raises(UsageError, match="needs reset or clone isolation"):
        run_state_machine_as_test(Machine, settings=quick)
"""


def test_runs_of_a_machine(project, head):
    """Rows that one run has written are gone in the next; client and session work in rules and invariants."""
    project.run(head + MACHINE, "-W", "error").assert_outcomes(passed=5)
