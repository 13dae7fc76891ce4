"""Labels as pictures, and pictures as files."""
