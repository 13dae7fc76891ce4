"""Blob: data and diff, seen by NumPy and by torch.

blob.py        Blob: pycaffe's class
memory.py      Memory: the engine's access to both sides of a blob, data and diff
storage.py     Storage: one side, its values on host and device, and the table of its states
short_map.py   maps without most of their constant border
"""

from caffe.blob.blob import Blob, BlobVec

__all__ = ["Blob", "BlobVec"]
