"""Accounts, transfers and an audit trail over HTTP."""
