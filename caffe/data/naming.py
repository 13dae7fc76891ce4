"""Errors about data say which layer met them."""

from collections.abc import Iterator
from contextlib import contextmanager

from caffe.errors import DataError


@contextmanager
def naming(owner: str) -> Iterator[None]:
    """DataErrors of the block begin with the owner, e.g. "layer 'data' (Data)"."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{owner}: {error}") from error
