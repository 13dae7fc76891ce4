"""Layers that bring data into a net, or out of it."""
