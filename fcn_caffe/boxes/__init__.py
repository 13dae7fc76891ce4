"""Boxes in place of masks: boxes of masks, labels of boxes, and the quality of these labels."""
