"""The recipe for a template from migrations."""
