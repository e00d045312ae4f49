"""The files that ``crucible init`` writes: chosen from the project's sources, tried on a copy, and written at once."""
