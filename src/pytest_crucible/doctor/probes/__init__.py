"""Measurements that are made once for all checks."""
