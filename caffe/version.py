"""This project's own version, its one source: pyproject.toml, `caffe --version` and CITATION.cff take it from here.

`caffe.__version__` is another number: the version of BVLC Caffe whose interface this package has.
"""

VERSION = "0.1.0"
