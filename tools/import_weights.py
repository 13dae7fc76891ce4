"""`fcn import-weights`, from a checkout."""

import _checkout  # noqa: F401

from fcn_caffe.cli import run

if __name__ == "__main__":
    run("import_weights")
