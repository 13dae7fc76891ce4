"""A data set downloaded, unpacked, converted and put in place: all of it, or nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fcn_caffe.datasets.download import WebFile, checksum, download
from fcn_caffe.datasets.published_data import Part, PublishedData
from fcn_caffe.datasets.unpack import unpack
from fcn_caffe.whole_files import write_json

MARKER = ".fetched.json"
"""In a data set's folder: what it was made of."""


def install(source: PublishedData, target: Path, downloads: Path, mirror: str = "") -> bool:
    """Put a data set at `target`; False if it is there already, from here.

    downloads: where archives are put, and are found if they are there already. mirror: an address to try first, with
    the archive's name after it. Raises FileExistsError if something else is at `target`.
    """
    if (target / MARKER).exists():
        return False
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise FileExistsError(
            f"'{target}' is there already, and was not fetched by this tool: it is left as it is. Look it over with "
            f"`fcn data check --dir {target}`, or move it away to fetch it."
        )
    files = [download(mirrored(part.file, mirror), downloads) for part in source.parts]
    staging = target.parent / f".{target.name}.part"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        made = staging / "made"
        made.mkdir(parents=True)
        roots = [_root(part, file, staging / str(index)) for index, (part, file) in enumerate(zip(source.parts, files))]
        if source.convert:
            source.convert(roots, made)
        else:
            for part, root in zip(source.parts, roots):
                _move(root, made / part.to)
        if source.finish:
            source.finish(made)
        write_json(made / MARKER, {file.name: f"sha256:{checksum(file, 'sha256')}" for file in files})
        if target.exists():
            target.rmdir()
        os.replace(made, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return True


def mirrored(file: WebFile, mirror: str) -> WebFile:
    """The file with another address to try first."""
    return replace(file, urls=(f"{mirror.rstrip('/')}/{file.name}", *file.urls)) if mirror else file


def _root(part: Part, file: Path, folder: Path) -> Path:
    """A plain file's path; of an archive, the unpacked folder that has what the data set must have."""
    if part.root is None:
        return file
    left_out = unpack(file, folder)
    if left_out:
        print(f"{file.name}: left out {len(left_out)} links or devices, such as {left_out[0]!r}", file=sys.stderr)
    for candidate in _folders(folder):
        if all((candidate / name).exists() for name in part.root):
            return candidate
    raise ValueError(
        f"'{file}' has no folder with {', '.join(part.root)}, expected one; there is "
        f"{', '.join(sorted(path.name for path in folder.iterdir())) or 'nothing'}. Is it the right archive?"
    )


def _folders(top: Path) -> Iterator[Path]:
    """The folder and those below it, the upper ones first."""
    level = [top]
    while level:
        yield from level
        level = [path for folder in level for path in sorted(folder.iterdir()) if path.is_dir()]


def _move(root: Path, to: Path) -> None:
    """Move what an unpacked folder holds, or copy a plain file."""
    if root.is_file():
        shutil.copyfile(root, to)
        return
    for path in root.iterdir():
        os.replace(path, to / path.name)
