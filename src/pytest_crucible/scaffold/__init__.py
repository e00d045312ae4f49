"""The files that ``crucible init`` writes: chosen from the project's sources, shown as a diff, and written at once."""
