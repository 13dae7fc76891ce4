"""Git's hash of the contents of a folder: a checksum of all files, which a public history states."""

from __future__ import annotations

import hashlib
from pathlib import Path


def tree(folder: Path) -> str:
    """The SHA-1 of a folder as a git tree of plain files: names and contents, of everything below."""
    entries = []
    for path in folder.iterdir():
        kind, content, order = (
            (b"40000", tree(path), path.name + "/") if path.is_dir() else (b"100644", _blob(path), path.name)
        )
        entries.append((order.encode(), kind + b" " + path.name.encode() + b"\0" + bytes.fromhex(content)))
    return _hash("tree", b"".join(entry for _, entry in sorted(entries)))


def _blob(path: Path) -> str:
    return _hash("blob", path.read_bytes())


def _hash(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()
