"""Child processes of the tests: the parent's service, and what asks it in a child."""
