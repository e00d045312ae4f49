"""The isolation of tests from one another: layers, rollback, leaks, lifespans and tasks."""
