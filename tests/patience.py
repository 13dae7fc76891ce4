"""How long a test waits for what may never come."""

PATIENCE = 600
"""Seconds; so many that a busy machine is never taken for one that hangs."""
