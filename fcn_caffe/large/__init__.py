"""Images that are too large for memory: labels and files by bands of rows."""
