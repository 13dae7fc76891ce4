"""Losses, the softmax before them, and accuracy."""
