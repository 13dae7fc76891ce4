"""Which formats of image files are read: those of photos and labels, whose decoders are libraries.

Pillow knows many more, by the first bytes of a file whatever its name, and starts a program for some: Ghostscript for
EPS. Whoever opens an image in this package names these formats.
"""

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")
