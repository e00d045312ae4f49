"""The suite's own fixtures; those of the database and the client come from pytest-crucible."""

pytest_plugins = [
    "tests.fixtures.listening",
    "tests.fixtures.people",
    "tests.fixtures.streaming",
]
