"""Benchmark a model: the time of each layer's forward and backward pass, and the net's rate beside the machine's peak.

After the lines that Caffe logs, a table: for each layer and pass its milliseconds, its share of the whole, its
operations and the bytes it moves at least (see caffe/net/work.py), and both per second. Layers are timed one by one;
the last lines time the net as it runs, whole. Operations are those of the formula: a plan that gets by with fewer can
come to more than the machine's peak.

    caffe time -model deploy.prototxt -iterations 10
"""

from caffe.cli.time.command import add_arguments, run

__all__ = ["add_arguments", "run"]
