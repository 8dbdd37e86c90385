"""Deleting: on every kind of registry, at the same time as others, and killed at every request."""
