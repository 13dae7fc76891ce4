"""Benchmark a model: the time that each layer's forward and backward take."""

import argparse

from caffe.cli import brew
from caffe.errors import UsageError
from caffe.log import log
from caffe.net import Net
from caffe.proto import caffe_pb2
from caffe.timer import Timer

add_arguments = brew.add_flags


def run(arguments: argparse.Namespace) -> int:
    if not arguments.model:
        raise UsageError("Need a model definition to time. Give -model FILE.")
    if arguments.phase not in ("", "TRAIN", "TEST"):
        raise UsageError(f'-phase {arguments.phase}: phase must be "TRAIN" or "TEST"')
    if arguments.iterations < 1:
        raise UsageError(f"-iterations {arguments.iterations}: at least 1 was expected")
    brew.use_device(arguments.gpu)
    brew.find_python_layers(arguments.model)
    phase = caffe_pb2.Phase.Value(arguments.phase or "TRAIN")
    net = Net(arguments.model, phase, level=arguments.level, stages=brew.stages(arguments.stage))
    log.info("Performing Forward")
    log.info("Initial loss: %g", float(net.run_forward()))
    log.info("Performing Backward")
    net.run_backward()
    _benchmark(net, arguments.iterations)
    return 0


def _benchmark(net: Net, iterations: int) -> None:
    log.info("*** Benchmark begins ***")
    log.info("Testing for %d iterations.", iterations)
    order = range(len(net.nodes))
    forward, backward = [0.0 for _ in order], [0.0 for _ in order]
    total = Timer()
    total.start()
    for iteration in range(iterations):
        whole, timer = Timer(), Timer()
        whole.start()
        for index in order:
            timer.start()
            net.run_forward(index, index)
            forward[index] += timer.ms
        for index in reversed(order):
            timer.start()
            net.run_backward(index, index)
            backward[index] += timer.ms
        log.info("Iteration: %d forward-backward time: %g ms.", iteration + 1, whole.ms)
    log.info("Average time per layer: ")
    for node, forward_ms, backward_ms in zip(net.nodes, forward, backward, strict=True):
        log.info("%10s\tforward: %g ms.", node.layer.name, forward_ms / iterations)
        log.info("%10s\tbackward: %g ms.", node.layer.name, backward_ms / iterations)
    log.info("Average Forward pass: %g ms.", sum(forward) / iterations)
    log.info("Average Backward pass: %g ms.", sum(backward) / iterations)
    log.info("Average Forward-Backward: %g ms.", total.ms / iterations)
    log.info("Total Time: %g ms.", total.ms)
    log.info("*** Benchmark ends ***")
