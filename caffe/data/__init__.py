"""Sources of data layers: databases, images, windows, and their transformation into blobs."""
