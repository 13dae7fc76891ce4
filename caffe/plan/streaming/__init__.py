"""Nets computed depth first, in bands of rows, so that maps of any size take little memory.

values.py      a map of which only the rows are kept that somebody will take
lengthened.py  a short map of which rows and columns are repeated for those who take them
stages.py      a layer that computes such maps from others, a band at a time
chain.py       which layers of a training are computed again in backward
segment.py     these layers, in bands
"""
