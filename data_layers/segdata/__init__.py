"""Code that the segmentation data layers share.

params.py   `param_str` to a checked dictionary
text.py     text that users write, in UTF-8
splits.py   the list of names that a split consists of
order.py    in which order a split's images come, reproducibly
files.py    images, labels and depth from image files, each made sure of
mat.py      labels from MATLAB files, likewise
labels.py   which label values or colours are legal, and which class each becomes
classes.py  a list of classes, and of their colours, from a file; class_yaml.py: from YAML
pairs.py    images and labels in two folders, paired by name
own_pictures.py  pictures that tools wrote, which are no photos
hha.py      depth as disparity, height above ground and angle with gravity
augment.py  other sizes and colours in training, batches of several sizes
crops.py    squares cut out
feed.py     loading ahead in a worker thread
layer.py    the layer itself: caffe.Layer's protocol over all of the above

Nothing here needs more than pycaffe, NumPy, SciPy and Pillow.
"""

import fcn_caffe  # noqa: F401 - it gives whoever imports `segdata` the package's own, fcn_caffe.data_layers.segdata
