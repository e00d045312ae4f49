"""The sessions of tests: their classes, their closing, and reports on uncommitted rows and calls without await."""
