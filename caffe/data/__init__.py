"""Where data layers get their numbers: databases, images, windows, and their transformation on the way into a blob."""
