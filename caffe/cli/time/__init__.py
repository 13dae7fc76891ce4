"""Benchmark a model: the time of each layer's forward and backward pass, and the net's rate beside the machine's peak.

After the lines that Caffe logs, a table lists for each layer and pass the milliseconds, the share of the whole, the
operations and the least bytes moved (see caffe/net/work.py), and both per second. Layers are timed one by one; the last
lines time the net as a whole. Operations are those of the formula: a plan that needs fewer may exceed the machine's
peak.

    caffe time -model deploy.prototxt -iterations 10
"""

from caffe.cli.time.command import add_arguments, run

__all__ = ["add_arguments", "run"]
