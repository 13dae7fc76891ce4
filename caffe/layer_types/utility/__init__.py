"""Layers that change shapes, take parts, join or reduce; and Python layers."""
