"""An LMDB, read: its pages are walked here, because liblmdb believes every number in a file and dies of a damaged one.

A database is the file data.mdb (or a file of any name), in pages of one size, numbered from 0, little-endian:

    page      number (8 bytes), unused (2), flags (2), end of the offsets (2), begin of the entries (2); then the
              offsets of its entries (2 bytes each), and the entries
    0 and 1   what there is (meta): magic (4), version (4), unused (16), the list of free pages (48), the main tree
              (48), number of the last page (8), transaction (8). The one of the later transaction counts
    tree      page size or unused (4), flags (2), depth (2), pages of three kinds (24), entries (8), number of the root
    branch    entries `page (6), length of the key (2), key`
    leaf      entries `length of the value (4), flags (2), length of the key (2), key, value`; a value that is too large
              is on pages of its own: then its place has the number of the first of them
    overflow  flags as above, count of pages (4), value

The layout is that of version 1 of the format, as LMDB 0.9 writes it on machines of 64 bits (mdb.c of OpenLDAP).
Reading changes nothing, so no lock is taken.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from caffe.errors import DataError, FormatError
from caffe.formats.mapped import map_file

MAGIC, VERSION = 0xBEEFC0DE, 1
PAGE_HEADER = 16
BRANCH, LEAF, OVERFLOW, META = 1, 2, 4, 8
NOWHERE = 2**64 - 1
"""The root of an empty tree."""
DEEPEST = 32
_BIG, _TREE_WITHIN, _MANY_VALUES = 1, 2, 4
_PAGE_SIZES = range(256, 65537)


@dataclass
class _Tree:
    """The main tree, and what of it has been met."""

    content: memoryview
    page_size: int
    pages: int
    root: int
    entries: int
    transaction: int
    visited: int = 0
    """Pages that were walked through: a whole tree comes by each of its pages once."""


class Damaged(ValueError):
    """What is wrong with a file."""


def data_file(path: str) -> str:
    """The file that holds the database: in a folder it is data.mdb."""
    return os.path.join(path, "data.mdb") if os.path.isdir(path) else path


def opened(path: str) -> memoryview:
    """The content of a database. Raises DataError unless it is as long as it says, and whole at its start."""
    try:
        content = map_file(data_file(path))
        _tree(content)
    except (Damaged, FormatError) as error:
        raise _unreadable(path, error) from error
    return content


def entries(content: memoryview, path: str) -> Iterator[tuple[bytes, bytes]]:
    """The (key, value) pairs in the order of the keys; `path` is for errors. Raises DataError for a damaged file."""
    count = 0
    try:
        tree = _tree(content)
        if tree.root != NOWHERE:
            for entry in _below(tree, tree.root, 1):
                count += 1
                yield entry
        if count != tree.entries:
            raise Damaged(f"it says that it has {tree.entries:,} entries, and has {count:,}")
    except (Damaged, struct.error) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> DataError:
    return DataError(
        f"LMDB '{path}' cannot be read: {error}. Copy it again, or make it again with `caffe convert_imageset`."
    )


def _tree(content: memoryview) -> _Tree:
    first = _meta(content, 0)
    second = _meta(content, first.page_size)
    tree = second if second.transaction > first.transaction else first
    if tree.pages * tree.page_size > len(content):
        raise Damaged(
            f"it has {len(content):,} bytes, expected {tree.pages * tree.page_size:,} ({tree.pages:,} pages of "
            f"{tree.page_size:,}): it was cut off"
        )
    return tree


def _meta(content: memoryview, place: int) -> _Tree:
    if place + PAGE_HEADER + 136 > len(content):
        raise Damaged(f"it has {len(content):,} bytes, too few for an LMDB: it was cut off")
    flags, magic, version = struct.unpack_from("<H4xII", content, place + 10)
    if magic != MAGIC or not flags & META:
        raise Damaged("MDB_INVALID: it does not begin as an LMDB does")
    if version != VERSION:
        raise Damaged(f"MDB_VERSION_MISMATCH: it is of version {version} of the format, expected {VERSION}")
    (page_size,) = struct.unpack_from("<I", content, place + PAGE_HEADER + 24)
    _, tree_flags, _, *_, entry_count, root, last, transaction = struct.unpack_from(
        "<IHH3QQQQQ", content, place + PAGE_HEADER + 72
    )
    if page_size not in _PAGE_SIZES or page_size & page_size - 1:
        raise Damaged(f"it says that its pages have {page_size:,} bytes")
    if tree_flags & 0x04:
        raise Damaged("it has several values for a key (MDB_DUPSORT), expected one")
    return _Tree(content, page_size, last + 1, root, entry_count, transaction)


def _below(tree: _Tree, number: int, depth: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a page and of all pages below it."""
    tree.visited += 1
    if number >= tree.pages or tree.visited > tree.pages or depth > DEEPEST:
        raise Damaged(f"a branch leads to page {number:,} of {tree.pages:,}, expected one that it has not led to yet")
    start = number * tree.page_size
    page = tree.content[start : start + tree.page_size]
    flags, lower = struct.unpack_from("<HH", page, 10)
    if not PAGE_HEADER <= lower <= tree.page_size or flags & 0x7F not in (BRANCH, LEAF):
        raise Damaged(f"page {number:,} is neither a branch nor a leaf")
    for place in struct.unpack_from(f"<{(lower - PAGE_HEADER) // 2}H", page, PAGE_HEADER):
        low, high, node_flags, key_length = struct.unpack_from("<4H", page, place)
        if flags & BRANCH:
            yield from _below(tree, low | high << 16 | node_flags << 32, depth + 1)
        elif node_flags & (_TREE_WITHIN | _MANY_VALUES):
            raise Damaged("it holds several databases, or several values for a key; expected one of each")
        else:
            begin = place + 8 + key_length
            key, length = bytes(page[place + 8 : begin]), low | high << 16
            if node_flags & _BIG:
                (first,) = struct.unpack_from("<Q", page, begin)
                yield key, _large(tree, first, length)
            elif begin + length > len(page):
                raise Damaged(f"a value of {length:,} bytes reaches out of page {number:,}")
            else:
                yield key, bytes(page[begin : begin + length])


def _large(tree: _Tree, number: int, length: int) -> bytes:
    """A value on pages of its own."""
    start = number * tree.page_size
    if number >= tree.pages or start + PAGE_HEADER + length > tree.pages * tree.page_size:
        raise Damaged(f"a value of {length:,} bytes at page {number:,} reaches out of the file's {tree.pages:,} pages")
    (flags,) = struct.unpack_from("<H", tree.content, start + 10)
    if not flags & OVERFLOW:
        raise Damaged(f"page {number:,} is not the begin of a large value")
    return bytes(tree.content[start + PAGE_HEADER : start + PAGE_HEADER + length])
