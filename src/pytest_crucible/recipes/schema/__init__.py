"""The recipe for a template from ``crucible_schema``: SQL scripts that psql runs, and callables of the project."""
