"""Images and labels: what the engine's layers, `caffe.io` and the segmentation data layers make of them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import caffe
from caffe.data import images as engine
from tests.faults import bytes_of
from tests.faults.child import Input, Reader
from tests.faults.readers import folders

_POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"
_KINDS = (
    "PNG",
    "JPEG",
    "BMP",
    "GIF",
    "TIFF",
    "WEBP",
    "PPM",
    "TGA",
    "ICO",
    "PCX",
    "SGI",
    "DDS",
    "MPO",
    "JPEG2000",
)
_MODES = ("RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr")


def _saved(kind: str, mode: str) -> bytes | None:
    """An image as a file of that kind; None where Pillow knows no such thing."""
    pixels = np.random.RandomState(0).randint(0, 256, (13, 11, 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    if mode in ("I;16", "I", "F"):
        image = Image.fromarray(pixels[..., 0].astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    elif mode != "RGB":
        image = image.convert(mode)
    buffer = io.BytesIO()
    options = {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"} if kind == "JPEG" else {}
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError, KeyError):
        return None
    return buffer.getvalue()


def _files() -> list[Input]:
    found = [content for kind in _KINDS for mode in _MODES if (content := _saved(kind, mode))]
    usual = [content for kind in ("PNG", "JPEG") for mode in ("RGB", "L", "P") if (content := _saved(kind, mode))]
    named = [*found, *usual * 6, _POSTSCRIPT, _POSTSCRIPT, b"<svg/>"]
    return [{name: content} for content in named for name in ("image.png", "image.jpg")]


def _damage(files: Input, draw: random.Random) -> Input:
    return {name: _damaged(content, draw) for name, content in files.items()}


def _damaged(content: bytes, draw: random.Random) -> bytes:
    if draw.random() < 0.05:
        return content
    if content.startswith(b"\x89PNG") and draw.random() < 0.6:
        return _other_chunks(content, draw)
    return bytes_of.damaged(content, draw)


def _other_chunks(content: bytes, draw: random.Random) -> bytes:
    """A PNG with changed chunks whose checksums are right, so that whoever decodes it gets to see them."""
    chunks, place = [], 8
    while place + 8 <= len(content):
        (size,) = struct.unpack_from(">I", content, place)
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += size + 12
    index = draw.randrange(len(chunks))
    kind, data = chunks[index]
    way = draw.choice(("bytes", "bytes", "head", "drop", "repeat", "kind", "add"))
    if way == "head":
        head = bytearray(chunks[0][1])
        struct.pack_into(">I", head, draw.choice((0, 4)), bytes_of.number(draw, 0) % 2**32)
        head[draw.randrange(8, 13)] = draw.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0] = (b"IHDR", bytes(head))
    elif way == "bytes":
        chunks[index] = (kind, bytes_of.damaged(data, draw))
    elif way == "drop":
        del chunks[index]
    elif way == "repeat":
        chunks[index:index] = [chunks[index]] * draw.choice((1, 40))
    elif way == "kind":
        chunks[index] = (draw.choice((b"IDAT", b"PLTE", b"tRNS", b"IEND", b"fdAT", b"acTL", b"abcd")), data)
    else:
        text = b"Title\0\0" + zlib.compress(bytes(draw.choice((10, 1 << 24))))
        chunks.insert(1, (draw.choice((b"zTXt", b"iCCP", b"eXIf", b"gAMA", b"tRNS")), text))
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _only(folder: Path) -> str:
    (path,) = folder.iterdir()
    return str(path)


def _read(folder: Path) -> None:
    path = _only(folder)
    engine.read(path, True)
    engine.read(path, False)


def _read_unchanged(folder: Path) -> None:
    engine.read(_only(folder), None)


def _read_io(folder: Path) -> None:
    caffe.io.load_image(_only(folder), color=False)
    caffe.io.load_image(_only(folder))


def _segdata(what: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from fcn_caffe.data_layers.segdata import files

        getattr(files, f"read_{what}")(_only(folder))

    return read


def _damage_labels(files: Input, draw: random.Random) -> Input:
    """Damage to a label that the net reads."""
    used = [name for name in files if name.startswith(("voc/VOC2011/Seg", "labels/", "colours/"))]
    return {**files, **{name: _damaged(files[name], draw) for name in draw.sample(used, 4)}}


def _read_labels(folder: Path) -> None:
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TRAIN)
    for _ in range(4):
        net.forward()


READERS = (
    Reader("image", _files, _damage, _read),
    Reader("image-unchanged", _files, _damage, _read_unchanged),
    Reader("io-image", _files, _damage, _read_io),
    Reader("seg-image", _files, _damage, _segdata("image")),
    Reader("seg-label", _files, _damage, _segdata("label")),
    Reader("seg-depth", _files, _damage, _segdata("depth")),
    Reader("labels", folders.trees, _damage_labels, _read_labels),
)
