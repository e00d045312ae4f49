"""The checks, each a generator of findings."""
