"""Layers that compute each value of the top from the value of the bottom at the same place."""
