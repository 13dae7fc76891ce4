"""Where the data layers get their numbers: databases, images, windows, and the transformation on the way into a blob."""
