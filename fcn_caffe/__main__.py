"""`python -m fcn_caffe` is `fcn`."""

from fcn_caffe.cli import run

if __name__ == "__main__":
    run()
