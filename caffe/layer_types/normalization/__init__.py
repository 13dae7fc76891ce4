"""Layers that divide by what neighbours, channels or batches come to."""
