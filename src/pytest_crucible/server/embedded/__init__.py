"""The embedded server: its programs, its first cluster, and its lease."""
