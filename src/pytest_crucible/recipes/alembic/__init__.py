"""A template built by migrating."""
