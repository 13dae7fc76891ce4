"""Blob: data and diff, seen by NumPy and by torch."""

from caffe.blob.blob import Blob, BlobVec

__all__ = ["Blob", "BlobVec"]
