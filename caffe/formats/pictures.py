"""Which formats of image files are read: those of photos and labels, whose decoders are libraries.

Pillow knows many more, by the first bytes of a file whatever its name, and starts a program for some: Ghostscript for
EPS. Whoever opens an image in this package names these formats, and expects of damaged files any of these errors.
"""

import struct
import zlib

from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")
UNREADABLE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, EOFError, MemoryError, RuntimeError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""What Pillow raises for damaged files of one format or another."""
