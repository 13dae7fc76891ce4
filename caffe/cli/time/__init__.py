"""`caffe time`."""

from caffe.cli.time.command import add_arguments, run

__all__ = ["add_arguments", "run"]
