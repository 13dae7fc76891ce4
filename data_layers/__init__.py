"""Data layers: Python layers that read the images and labels of data sets, a module for each.

Nets name the modules directly (`module: "voc_layers"`). Where Caffe does not find them by itself, as BVLC's does not,
this folder belongs on PYTHONPATH.
"""
