"""The worker databases of this process."""
