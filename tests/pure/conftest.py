"""Pure tests: no server, no time limit per example (machines of continuous integration stall at times)."""

from hypothesis import settings

settings.register_profile("crucible", deadline=None)
settings.load_profile("crucible")
