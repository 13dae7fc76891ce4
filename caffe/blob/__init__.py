"""Blob: data and diff, seen by NumPy and by torch.

blob.py        what pycaffe shows
memory.py      what the engine does with the memory of both sides
storage.py     one side: its values on host and device, and the states it can be in
short_map.py   maps without most of their constant border
"""

from caffe.blob.blob import Blob, BlobVec

__all__ = ["Blob", "BlobVec"]
