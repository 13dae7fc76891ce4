"""Score a model: run its TEST net over batches and average its outputs.

caffe test -model val.prototxt -weights net.caffemodel -iterations 100
"""

import argparse

from caffe import device
from caffe.cli import brew
from caffe.errors import UsageError
from caffe.log import log
from caffe.net import Net, outputs
from caffe.proto import caffe_pb2

add_arguments = brew.add_flags


def run(arguments: argparse.Namespace) -> int:
    if not arguments.model:
        raise UsageError("Need a model definition to score. Give -model FILE.")
    if not arguments.weights:
        raise UsageError("Need model weights to score. Give -weights FILE.")
    if arguments.iterations < 1:
        raise UsageError(f"-iterations {arguments.iterations}: at least 1 was expected. Correct it.")
    brew.use_device(arguments.gpu)
    brew.find_python_layers(arguments.model)
    net = Net(arguments.model, caffe_pb2.TEST, level=arguments.level, stages=brew.stages(arguments.stage))
    net.copy_from(*arguments.weights.split(","))
    log.info("Running for %d iterations.", arguments.iterations)
    loss = device.zero()
    sums: list[outputs.Output] = []
    for batch in range(arguments.iterations):
        loss = loss + net.run_forward()
        scores = outputs.outputs(net)
        for line in outputs.lines(scores, f"Batch {batch}, ", with_weight=False):
            log.info("%s", line)
        for total, score in zip(sums, scores, strict=False):
            total.add(score)
        sums = sums or scores
    log.info("Loss: %g", float(loss / arguments.iterations))
    for line in outputs.lines(sums, "", divisor=arguments.iterations):
        log.info("%s", line)
    return 0
