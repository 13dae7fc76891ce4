"""TIFF files that are read and written by bands of rows: images that are too large for memory."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np

from fcn_caffe.data_layers.segdata import own_pictures
from fcn_caffe.whole_files import unfinished

GRAY, RGB, YCBCR = 1, 2, 6
LAYOUTS = [(1, GRAY, True), (2, GRAY, 1), (3, RGB, 1), (4, RGB, 1)]
"""Values a pixel, the tag PhotometricInterpretation, and PlanarConfiguration where there are several values."""
JPEG = (6, 7)
"""Values of the tag Compression; JPEG's decoder makes RGB of YCbCr."""
ASSOCIATED = 1
"""The value of the tag ExtraSamples for colours that are multiplied by their opacity."""
KEPT = 4
"""The number of rows of tiles that are cached after decoding."""
UPRIGHT = 1
"""The value of the tag Orientation."""
BIG = 2**31
"""Bytes; a larger file is written as BigTIFF, because TIFF counts bytes in 32 bits."""


def is_tiff(path: str) -> bool:
    """Whether a file is one by its name."""
    return path.lower().endswith(own_pictures.TIFF_ENDINGS)


def size(path: str) -> Optional[tuple[int, int]]:
    """Height and width of a TIFF file's first image; None for another file, and where tifffile is not installed."""
    tifffile = _tifffile()
    if tifffile is None or not is_tiff(path):
        return None
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            return int(page.imagelength), int(page.imagewidth)
    except (tifffile.TiffFileError, OSError, ValueError, IndexError, KeyError):
        return None  # the reader of images reports the problem


class TiffRows:
    """An RGB image in a TIFF file, height×width×3 uint8, of which rows[first:last] are decoded when they are asked for.

    The last rows of tiles or strips are kept, for the band that comes next; what is not compressed is mapped. Raises
    ValueError for an image that is not of 8 bits in gray, RGB, RGBA or JPEG's YCbCr, and for one that is damaged.
    """

    def __init__(self, path: str, upright: bool = True):
        """upright: refuse an image that is stored turned."""
        self._path = path
        self._file = _opened(path)
        try:
            self._page = self._file.pages[0]
            self._check(upright)
            self._lay_out()
        except BaseException:
            self._file.close()
            raise

    def _check(self, upright: bool) -> None:
        page, path = self._page, self._path
        layout = (page.samplesperpixel, page.photometric, page.samplesperpixel == 1 or page.planarconfig)
        by_jpeg = layout == (3, YCBCR, 1) and page.compression in JPEG
        if page.dtype != np.uint8 or not (layout in LAYOUTS or by_jpeg):
            raise ValueError(
                f"image '{path}' is of {page.dtype}, {page.samplesperpixel} values a pixel, photometric "
                f"{page.photometric}, planes {page.planarconfig}, compression {page.compression}; expected 8 bits in "
                "gray, RGB, RGBA or JPEG's YCbCr, pixel by pixel, where a TIFF is read by bands. Convert it (with "
                "gdal_translate or vips, say)."
            )
        turned = page.tags.get("Orientation")
        if upright and turned is not None and turned.value != UPRIGHT:
            raise ValueError(
                f"image '{path}' is stored turned (orientation {int(turned.value)}), and too large to be turned here. "
                "Read it as it is stored with --as-stored."
            )
        expected = max(map(sum, zip(page.dataoffsets, page.databytecounts)), default=0)
        if expected > self._file.filehandle.size:
            raise ValueError(
                f"image '{path}' is truncated: it has {self._file.filehandle.size} bytes, expected {expected}."
                " Copy it again."
            )

    def _lay_out(self) -> None:
        page = self._page
        self._multiplied = page.samplesperpixel == 4 and tuple(page.extrasamples) == (ASSOCIATED,)
        self.shape = (int(page.imagelength), int(page.imagewidth), 3)
        tall = page.tilelength if page.is_tiled else page.rowsperstrip
        self._tall = min(int(tall) or self.shape[0], self.shape[0])
        self._wide = int(page.tilewidth) if page.is_tiled else self.shape[1]
        self._mapped = page.asarray(out="memmap").reshape(*self.shape[:2], -1) if page.is_memmappable else None
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        """By number of a row of tiles, its pixels."""

    def __enter__(self) -> TiffRows:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Rows first … last − 1, as rows×width×3."""
        first, last, _ = rows.indices(self.shape[0])
        if self._mapped is not None:
            return self._rgb(self._mapped[first:last])
        parts = []
        for index in range(first // self._tall, -(-last // self._tall)):
            begin = index * self._tall
            parts.append(self._row_of_tiles(index)[max(first - begin, 0) : last - begin])
        return np.concatenate(parts) if parts else np.empty((0, *self.shape[1:]), np.uint8)

    def _row_of_tiles(self, index: int) -> np.ndarray:
        if index not in self._kept:
            height = min(self._tall, self.shape[0] - index * self._tall)
            pixels = np.zeros((height, *self.shape[1:]), np.uint8)
            across = -(-self.shape[1] // self._wide)
            for column in range(across):
                tile = self._tile(index * across + column)
                if tile is not None:
                    left = column * self._wide
                    part = pixels[:, left : left + self._wide]
                    part[...] = self._rgb(tile[: part.shape[0], : part.shape[1]])
            self._kept[index] = pixels
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[index]

    def _rgb(self, values: np.ndarray) -> np.ndarray:
        """Gray is repeated, transparency left out."""
        if self._multiplied:
            return _divided_by_opacity(values)
        return values[..., :3] if values.shape[2] > 2 else np.repeat(values[..., :1], 3, axis=2)

    def _tile(self, index: int) -> Optional[np.ndarray]:
        """A tile or strip, height×width×values; None for one that the file leaves out, which is black."""
        page, handle = self._page, self._file.filehandle
        try:
            count = page.databytecounts[index]
            if not count:
                return None
            handle.seek(page.dataoffsets[index])
            stored = handle.read(count)  # first: `page.decode` may read tags elsewhere
            if len(stored) < count:
                raise ValueError(f"{len(stored)} bytes of {count} are there")
            found = page.decode(stored, index, jpegtables=page.jpegtables)[0]
        except Exception as error:  # the decoders of many formats raise errors of all kinds
            raise ValueError(
                f"image '{self._path}': tile {index} cannot be decoded ({error}). It is damaged, or its compression "
                "wants another package (pip install imagecodecs)."
            ) from error
        return None if found is None else found.reshape(found.shape[-3:])


def _opened(path: str) -> Any:
    """A TIFF file. Raises ValueError for one in which no image is to be found."""
    tifffile = _tifffile()
    try:
        file = tifffile.TiffFile(path)
    except tifffile.TiffFileError as error:
        raise ValueError(f"image '{path}' is no TIFF that can be read ({error}). Give another file.") from error
    if not len(file.pages):
        file.close()
        raise ValueError(f"image '{path}' has no image: it may be truncated. Copy it again.")
    return file


def _divided_by_opacity(values: np.ndarray) -> np.ndarray:
    """The colours of RGBA (…, 4) that were multiplied by their opacity; black where there is none."""
    colours, opacity = values[..., :3].astype(np.uint16), values[..., 3:].astype(np.uint16)
    divided = np.minimum(255 * colours // np.maximum(opacity, 1), 255)
    return np.where(opacity > 0, divided, 0).astype(np.uint8)


@contextlib.contextmanager
def labels_file(path: Path, shape: tuple[int, int], colours: np.ndarray) -> Iterator[Any]:
    """A palette TIFF of class numbers, height×width uint8, as a memory map to write to; whole or not at all.

    colours: classes×3 uint8, RGB.
    """
    palette = np.zeros((3, 256), np.uint16)
    palette[:, : len(colours)] = colours.T.astype(np.uint16) * 257
    with unfinished(path) as part:
        values = _tifffile().memmap(
            part,
            shape=shape,
            dtype=np.uint8,
            photometric="palette",
            colormap=palette,
            software=own_pictures.SOFTWARE,
            bigtiff=shape[0] * shape[1] > BIG,
            metadata=None,
        )
        yield values
        values.flush()
        del values


def _tifffile() -> Any:
    """The package, an extra; None where it is not installed."""
    try:
        import tifffile
    except ImportError:
        return None
    return tifffile
