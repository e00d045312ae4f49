"""The replacements in Polyfactory during a run."""
