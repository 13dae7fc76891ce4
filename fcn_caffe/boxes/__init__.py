"""Boxes in place of masks: boxes of masks, labels of boxes, and how good these labels are."""
