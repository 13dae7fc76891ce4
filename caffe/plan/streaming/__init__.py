"""Nets computed depth first, in bands of rows, so that maps of any size take little memory.

values.py   a map of which only the rows are kept that somebody will take
stages.py   a layer that computes such maps from others, a band at a time
"""
