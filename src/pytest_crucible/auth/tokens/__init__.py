"""Tokens of users, good and bad."""
