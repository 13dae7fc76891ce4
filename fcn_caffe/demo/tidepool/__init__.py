"""Painted tide pools: pictures of sea animals with exact labels, drawn from a seed.

noise.py      smooth random fields
grounds.py    what the animals lie on: sand, water, rock, pebbles
creatures.py  the outlines and skins of five classes
scene.py      everything put together, with its label
"""
