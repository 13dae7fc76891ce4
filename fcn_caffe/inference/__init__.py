"""Segmenting images with a trained net: which net, its scores, and the files that are written."""
