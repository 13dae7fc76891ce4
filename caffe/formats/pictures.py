"""The formats of image files that are read: those of photos and labels, whose decoders are libraries.

Pillow knows many more, by the first bytes of a file whatever its name, and starts a program for some: Ghostscript for
EPS. All code of this package opens images with these formats, and expects any of these errors for damaged files.
"""

import struct
import zlib

from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")
UNREADABLE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, EOFError, MemoryError, RuntimeError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""Pillow's errors for damaged files of any format."""
