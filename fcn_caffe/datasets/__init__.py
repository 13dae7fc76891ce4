"""Downloading data sets and weights, and checking data sets: the package of `fcn data`.

sources.py      where each data set comes from, on which terms, with which checksum
weights.py      the same of trained weights
download.py     a file from the web: resumed, checked, whole or not at all
unpack.py       archives, of which nothing is trusted
install.py      downloaded, unpacked, converted and put in place
camvid.py       SegNet's CamVid into PASCAL VOC's layout
git_tree.py     whether a folder has the contents that a public history says
nyudv2.py       NYUDv2's one large file into the published folders
own_hdf5.py     HDF5 files from elsewhere, without what they name outside of themselves
seg11valid.py   the list of images that the papers validate on
layouts.py      where a data set keeps images, labels and lists
lint.py         looks at every image and label, and collects what is wrong
findings.py     what was found, as text and as JSON
"""
