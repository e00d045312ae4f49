"""Advice on errors of the application, a driver or PostgreSQL."""
