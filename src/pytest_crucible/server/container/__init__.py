"""A server in a container."""
