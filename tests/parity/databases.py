"""A LevelDB of real Caffe's convert_imageset, in its two forms: a log only, and tables once it was opened again.

python -m tests.parity.databases      records both in tests/recorded/leveldb.zip
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from caffe.proto import caffe_pb2
from tests.parity import bvlc

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "leveldb.zip"
COUNT, SIDE = 24, 48


def image(number: int) -> np.ndarray:
    """H×W×BGR: stripes that compress well, in all more than two blocks of a table."""
    columns = (np.arange(SIDE) // 8 * number % 256).astype(np.uint8)
    return np.stack(
        [np.tile(columns, (SIDE, 1)), np.full((SIDE, SIDE), number, np.uint8), np.eye(SIDE, dtype=np.uint8)], 2
    )


def expected() -> list[tuple[bytes, bytes]]:
    """The entries of the database."""
    entries = []
    for number in range(COUNT):
        datum = caffe_pb2.Datum(channels=3, height=SIDE, width=SIDE, label=number * number, encoded=False)
        datum.data = image(number).transpose(2, 0, 1).tobytes()
        entries.append((f"{number:08d}_{number}.png".encode(), datum.SerializeToString()))
    return entries


def make(folder: Path) -> None:
    """Makes the LevelDBs `log` and `table` in a folder, with real Caffe."""
    for number in range(COUNT):
        Image.fromarray(image(number)[..., ::-1]).save(folder / f"{number}.png")
    (folder / "list.txt").write_text("".join(f"{n}.png {n * n}\n" for n in range(COUNT)))
    _command(folder, "convert_imageset", "-backend", "leveldb", "./", "list.txt", "log")
    shutil.copytree(folder / "log", folder / "table")
    _command(folder, "compute_image_mean", "-backend", "leveldb", "table", "mean.binaryproto")
    for leftover in (folder / "table").glob("*.log"):  # what the copy back left of the files that opening removed
        if leftover.stat().st_size:
            leftover.unlink()


def _command(folder: Path, *command: str) -> None:
    done = bvlc.run_command(command, folder)
    if done.returncode != 0:
        raise bvlc.BvlcError(f"{command[0]} failed: {done.stderr}")


def main() -> int:
    bvlc.make()
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(RECORDED, "w", zipfile.ZIP_DEFLATED) as archive:
        folder = Path(name)
        make(folder)
        for path in sorted(p for form in ("log", "table") for p in (folder / form).iterdir() if "LO" not in p.name):
            entry = zipfile.ZipInfo(str(path.relative_to(folder)))
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
