"""The sessions of a test: their classes, and what they left undone."""
