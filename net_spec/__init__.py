"""The nets, written in Python: `python -m net_spec` writes nets/ and solvers/ from the rows of catalogue.py.

blocks → trunks → fcn → nets → catalogue: pieces, classification nets, segmentation nets made of them, the class of a
row, and the rows. All of it uses the public pycaffe API alone.
"""

import fcn_caffe  # noqa: F401 - it gives whoever imports `net_spec` the package's own, fcn_caffe.net_spec
