"""A project, read without importing any of it: its modules, its configuration, and the finds in its code."""
