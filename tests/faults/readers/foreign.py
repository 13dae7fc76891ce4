"""Files of other programs: MATLAB's, PyTorch's, safetensors, and archives."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import random
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from scipy.io import savemat

from fcn_caffe.datasets import unpack
from fcn_caffe.importers import safetensors_file, torch_file
from tests.faults import archives, bytes_of, texts
from tests.faults.child import MIB, Input, Reader
from tests.faults.verdict import Escaped

MEMBERS = [("a.txt", b"one\n" * 40), ("folder/b.txt", b"two"), ("folder/inner/c.bin", bytes(range(256)))]
MOST_BYTES, MOST_FILES = 1 << 20, 50
"""Of an archive of this test."""
_MAP = np.arange(12, dtype=np.uint8).reshape(3, 4)


def _mats() -> list[Input]:
    found = []
    for compressed in (False, True, True):
        for dtype in (np.uint8, np.int16, np.float64):
            buffer = io.BytesIO()
            values = {"GTcls": {"Segmentation": _MAP.astype(dtype), "Boundaries": {"a": 1}}, "other": "text"}
            savemat(buffer, values, do_compression=compressed)
            buffer.getbuffer()[:116] = b"MATLAB 5.0 MAT-file".ljust(116)  # no time of day
            found.append({"label.mat": buffer.getvalue()})
    return found


@functools.cache
def _bomb() -> bytes:
    """A variable of 200 MiB, all zero, compressed: 0.2 MB in the file."""
    size = 200 * MIB
    flags = struct.pack("<IIII", 6, 8, 9, 0) + struct.pack("<IIii", 5, 8, size, 1) + struct.pack("<HH4s", 1, 1, b"x")
    head = struct.pack("<II", 14, len(flags) + 8 + size) + flags + struct.pack("<II", 2, size)
    packer = zlib.compressobj(1)
    parts = [packer.compress(head), *(packer.compress(bytes(MIB)) for _ in range(200)), packer.flush()]
    packed = b"".join(parts)
    return struct.pack("<II", 15, len(packed)) + packed


def _damage_mat(files: Input, draw: random.Random) -> Input:
    """Of the file; of what is compressed in it; or bombs before what is looked for."""
    content, choice = files["label.mat"], draw.random()
    if choice < 0.02:
        return {"label.mat": content[:128] + _bomb() * draw.choice((1, 4, 8)) + content[128:]}
    elements, place = [], 128
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<II", content, place)
        if kind != 15:
            break
        elements.append(zlib.decompress(content[place + 8 : place + 8 + size]))
        place += 8 + size
    if not elements or choice < 0.2:
        return {"label.mat": bytes_of.damaged(content, draw)}
    elements[0] = bytes_of.damaged(elements[0], draw)
    packed = [zlib.compress(element) for element in elements]
    return {"label.mat": content[:128] + b"".join(struct.pack("<II", 15, len(each)) + each for each in packed)}


def _read_mat(folder: Path) -> None:
    from fcn_caffe.data_layers.segdata import mat

    mat.read_map(str(folder / "label.mat"), "GTcls", "Segmentation")


def _state_dict() -> dict[str, torch.Tensor]:
    weight = torch.arange(108, dtype=torch.float32).reshape(4, 3, 3, 3)
    return {
        "a.weight": weight,
        "a.bias": torch.ones(4),
        "half": weight[0].half(),
        "tied": weight.flatten(1).T,
        "n": torch.tensor(3),
    }


def _torch_files() -> list[Input]:
    found = []
    for zipped in (True, False):
        for content in (_state_dict(), {"state_dict": _state_dict(), "epoch": 3}):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
            found.append({"weights.pth": buffer.getvalue() if zipped else _without_addresses(buffer.getvalue())})
    return found


def _without_addresses(content: bytes) -> bytes:
    """A file of the old form, whose storages are called by their addresses, which differ from run to run."""
    for number, name in enumerate(sorted(set(re.findall(rb"(?<=\0)[0-9]{11,16}(?=q|K|\x8a|X|r)", content)))):
        content = content.replace(name, b"%0*d" % (len(name), number + 1))
    return content


class _Call:
    """Pickles as a call of a function."""

    def __init__(self, function: object, *arguments: object):
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple:
        return self.function, self.arguments


def _pickles(draw: random.Random) -> bytes:
    """Pickles that nobody should follow: programs, lengths without content, lists in lists, objects of all kinds."""
    deep: list = []
    for _ in range(draw.choice((10, 2000))):
        deep = [deep]
    size = draw.choice((2**20, 2**30, 2**40, 2**62))
    made = [
        pickle.dumps(_Call(os.system, "true"), 2),
        pickle.dumps(_Call(eval, "1+1"), 2),
        b"\x80\x04\x8d" + struct.pack("<Q", size) + b"x",
        b"\x80\x04\x8e" + struct.pack("<Q", size) + b"x",
        b"\x80\x05\x96" + struct.pack("<Q", size) + b"x.",
        b"\x80\x02X" + struct.pack("<I", size % 2**32) + b"x",
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
        b"\x80\x02" + b"]" * 5000 + b".",
        b"\x80\x02r" + struct.pack("<I", 2**31) + b".",
        b"\x80\x02Nr\xff\xff\xff\x0f.",
        b"\x80\x02" + b"(" * draw.choice((3, 200_000)) + b"t.",
        b"I" + b"9" * 100_000 + b"\n.",
        pickle.dumps([torch.nn.Linear, np.ones(3), {1: 2}], 2),
        pickle.dumps({"a": np.ones(3)}, 2),
        pickle.dumps({1: 2, (3, 4): None}, 2),
    ]
    return draw.choice(made)


def _damage_torch(files: Input, draw: random.Random) -> Input:
    content = files["weights.pth"]
    if draw.random() < 0.3 or not zipfile.is_zipfile(io.BytesIO(content)):
        if draw.random() < 0.15:
            return {"weights.pth": _pickles(draw)}
        return {"weights.pth": bytes_of.damaged(content, draw)}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    index = draw.randrange(len(members))
    if draw.random() < 0.7:
        index = next(i for i, (name, _) in enumerate(members) if name.endswith("data.pkl"))
    name, inner = members[index]
    if name.endswith("data.pkl") and draw.random() < 0.2:
        members[index] = (name, _pickles(draw))
    else:
        members[index] = (name, bytes_of.damaged(inner, draw))
    if draw.random() < 0.1:
        members = draw.choice((members[1:], members[::-1], members * 2))
    buffer = io.BytesIO()
    compression = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, inner in members:
            archive.writestr(zipfile.ZipInfo(name), inner, compression)
    return {"weights.pth": buffer.getvalue()}


def _read_torch(folder: Path) -> None:
    torch_file.read(folder / "weights.pth")


def _safetensors() -> list[Input]:
    header, numbers = {}, b""
    for name, array in {"a": np.ones((2, 3), np.float32), "b": np.ones(4, np.float16), "c": np.int64(3)}.items():
        begin = len(numbers)
        numbers += np.asarray(array).tobytes()
        kind = {"f4": "F32", "f2": "F16", "i8": "I64"}[np.asarray(array).dtype.str[1:]]
        header[name] = {"dtype": kind, "shape": list(np.shape(array)), "data_offsets": [begin, len(numbers)]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return [{"weights.safetensors": struct.pack("<Q", len(text)) + text + numbers}]


def _damage_safetensors(files: Input, draw: random.Random) -> Input:
    content = files["weights.safetensors"]
    if draw.random() < 0.2:
        return {"weights.safetensors": bytes_of.damaged(content, draw)}
    size = struct.unpack_from("<Q", content)[0]
    words = ('"BF16"', '"F64"', '"BOOL"', "[-1]", "[0]", "[2, null]", "1e308", "[1.5]", '"shape": 3', '"__metadata__"')
    text = texts.damaged(content[8 : 8 + size].decode(), draw, words)
    return {"weights.safetensors": struct.pack("<Q", len(text)) + text + content[8 + size :]}


def _read_safetensors(folder: Path) -> None:
    safetensors_file.read(folder / "weights.safetensors")


def _archives() -> list[Input]:
    draw = random.Random(0)
    made = [archives.tar(MEMBERS, draw, 0) for _ in range(8)] + [archives.zip_of(MEMBERS, draw, 0) for _ in range(4)]
    return [{"archive": each} for each in made]


def _damage_archive(files: Input, draw: random.Random) -> Input:
    choice = draw.random()
    if choice < 0.35:
        return {"archive": bytes_of.damaged(files["archive"], draw)}
    make = archives.tar if choice < 0.75 else archives.zip_of
    content = make(MEMBERS, draw, draw.choice((0.1, 0.4)))
    return {"archive": bytes_of.damaged(content, draw) if draw.random() < 0.1 else content}


def _read_archive(folder: Path) -> None:
    """Into a folder where links lie already that lead out of it: nothing may come through."""
    outside, target = folder.parent / "outside", folder / "target"
    outside.mkdir()
    (outside / "file").write_bytes(b"mine")
    target.mkdir()
    (target / "link").symlink_to(outside)
    (target / "linked.txt").symlink_to(outside / "file")
    before = {path.name for path in folder.parent.parent.iterdir()}
    try:
        unpack.unpack(folder / "archive", target, MOST_BYTES, MOST_FILES)
    finally:
        changed = (
            sorted(path.name for path in outside.iterdir()) != ["file"] or (outside / "file").read_bytes() != b"mine"
        )
        if changed or {path.name for path in folder.parent.parent.iterdir()} != before:
            raise Escaped("something outside of the target folder was written")
        size = sum(path.lstat().st_size for path in target.rglob("*"))
        if size > 2 * MOST_BYTES:
            raise Escaped(f"{size} bytes were unpacked, where at most {MOST_BYTES} are allowed")


READERS = (
    Reader("mat", _mats, _damage_mat, _read_mat),
    Reader("torch", _torch_files, _damage_torch, _read_torch),
    Reader("safetensors", _safetensors, _damage_safetensors, _read_safetensors),
    Reader("archive", _archives, _damage_archive, _read_archive),
)
