"""What ``crucible init`` writes: decided from what was found, shown as a diff, and written at once."""
