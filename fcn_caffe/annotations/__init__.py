"""Annotations as other programs save them, drawn as label images.

find.py          which form a file or folder has
documents.py     JSON that is not trusted
found.py         what any form gives: for each image, regions with a class
regions.py       polygons, circles and run lengths as pixels
labelme.py coco.py cvat.py supervisely.py label_studio.py     a form each
label_images.py  the classes of label images that come without a list of them
take.py          labels and classes of a new task, drawn into its folder
"""
