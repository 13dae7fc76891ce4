"""`caffe time`: its flags, and the table that it prints."""

import argparse

from caffe import device
from caffe.cli import brew
from caffe.cli.time import rates
from caffe.errors import UsageError
from caffe.log import log
from caffe.net import Net, work
from caffe.net.work import Work
from caffe.proto import caffe_pb2
from caffe.timer import Timer

add_arguments = brew.add_flags

MOST_WHOLE_RUNS = 10


def run(arguments: argparse.Namespace) -> int:
    if not arguments.model:
        raise UsageError("Need a model definition to time. Give -model FILE.")
    if arguments.phase not in ("", "TRAIN", "TEST"):
        raise UsageError(f'-phase {arguments.phase}: phase must be "TRAIN" or "TEST". Correct it.')
    if arguments.iterations < 1:
        raise UsageError(f"-iterations {arguments.iterations}: at least 1 was expected. Correct it.")
    brew.use_device(arguments.gpu)
    brew.find_python_layers(arguments.model)
    phase = caffe_pb2.Phase.Value(arguments.phase or "TRAIN")
    net = Net(arguments.model, phase, level=arguments.level, stages=brew.stages(arguments.stage))
    log.info("Performing Forward")
    log.info("Initial loss: %g", float(net.run_forward()))
    log.info("Performing Backward")
    net.run_backward()
    forward, backward = _benchmark(net, arguments.iterations)
    _table(net, forward, backward)
    _whole(net, min(arguments.iterations, MOST_WHOLE_RUNS))
    return 0


def _benchmark(net: Net, iterations: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each layer's forward and backward, on average; logged as Caffe logs them."""
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
            forward[index] += timer.ms / iterations
        for index in reversed(order):
            timer.start()
            net.run_backward(index, index)
            backward[index] += timer.ms / iterations
        log.info("Iteration: %d forward-backward time: %g ms.", iteration + 1, whole.ms)
    log.info("Average time per layer: ")
    for node, forward_ms, backward_ms in zip(net.nodes, forward, backward, strict=True):
        log.info("%10s\tforward: %g ms.", node.layer.name, forward_ms)
        log.info("%10s\tbackward: %g ms.", node.layer.name, backward_ms)
    log.info("Average Forward pass: %g ms.", sum(forward))
    log.info("Average Backward pass: %g ms.", sum(backward))
    log.info("Average Forward-Backward: %g ms.", total.ms / iterations)
    log.info("Total Time: %g ms.", total.ms)
    log.info("*** Benchmark ends ***")
    return forward, backward


def _table(net: Net, forward: list[float], backward: list[float]) -> None:
    whole = sum(forward) + sum(ms for node, ms in zip(net.nodes, backward, strict=True) if node.runs_backward)
    width = max(len(node.layer.name) for node in net.nodes)
    log.info(
        "%-*s %-15s %-8s %10s %7s %10s %9s %9s %8s",
        *(width, "layer", "type", "pass", "ms", "share", "GFLOP", "GFLOP/s", "MB", "GB/s"),
    )
    for node, forward_ms, backward_ms in zip(net.nodes, forward, backward, strict=True):
        for name, ms, done in (
            ("forward", forward_ms, work.forward(node)),
            ("backward", backward_ms, work.backward(node)),
        ):
            if name == "backward" and not node.runs_backward:
                continue
            log.info(
                "%-*s %-15s %-8s %10.3f %5.1f %% %10.3f %9.1f %9.2f %8.1f",
                *(width, node.layer.name, node.layer.type, name, ms, 100 * ms / whole),
                *(done.operations / 1e9, _per_second(done.operations, ms), done.bytes / 1e6),
                _per_second(done.bytes, ms),
            )


def _whole(net: Net, runs: int) -> None:
    """The net as it runs, against the least time that operations and bytes take."""
    passes = {"Forward": (net.run_forward, work.forward), "Backward": (net.run_backward, work.backward)}
    elapsed = dict.fromkeys(passes, 0.0)
    for _ in range(runs):
        for name, (run_pass, _) in passes.items():
            timer = Timer()
            timer.start()
            run_pass()
            elapsed[name] += timer.ms / runs
    operations, size = rates.operations_per_second()
    traffic = rates.bytes_per_second()
    log.info(
        "Machine: %.1f GFLOP/s (%s, product of %d×%d matrices), %.1f GB/s (copy).",
        *(operations / 1e9, device.precision(), size, size, traffic / 1e9),
    )
    for name, (_, count) in passes.items():
        layers = [count(node) for node in net.nodes]
        done, ms = sum(layers, Work()), elapsed[name]
        if done == Work():
            continue
        least = 1000 * sum(each.seconds(operations, traffic) for each in layers)
        rate = _per_second(done.operations, ms)
        log.info(
            "%s as a whole: %g ms, %.2f GFLOP at %.1f GFLOP/s (%.0f %% of the peak); least time of its layers: %g ms.",
            *(name, ms, done.operations / 1e9, rate, 100e9 * rate / operations, least),
        )


def _per_second(amount: int, ms: float) -> float:
    """Thousand millions a second."""
    return amount / ms / 1e6 if ms else 0.0
