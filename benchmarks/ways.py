"""The gain of each way of the plan: `python -m benchmarks.ways` switches them off one at a time, and writes a table.

Such a table shows whether the thresholds in caffe/plan fit a machine; some are in benchmarks/results/. A number is the
time of a pass without the way divided by that with it; "–" is a way that the net does not use.

Passes without a way take turns with passes with all, on the same net; the first ones of each turn are not timed,
because weights are prepared in them. The fastest passes are compared, because other programs can only make a pass
slower.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

import caffe
from benchmarks import machine
from caffe import switches
from caffe.formats import prototxt
from caffe.log import log
from caffe.ops import functions
from caffe.ops.operation import Operation, Way
from caffe.plan import elision, overwriting, pool, ways

ROOT = Path(__file__).resolve().parents[1]
NAMES = {
    functions.CONV2D: "convolution",
    functions.CONV_TRANSPOSE2D: "deconvolution",
    functions.MAX_POOL2D: "max pooling",
    functions.CHANNEL_MEAN: "channel mean",
    functions.RELU_GRADIENT: "gradient of ReLU",
}
NEEDED = {"the first pad made smaller", "strides that are wide beside the map"}
"""Rows that are there not for speed: elision works by the one, and results are right by the other."""
WARM_UP = 3
"""Passes that are not timed: weights are prepared in the first two."""
TURNS = 2


@dataclass(frozen=True)
class Race:
    """A net, and what it does."""

    name: str
    file: str
    size: int | None
    """Of the image, if not the prototxt's."""
    trains: bool = False


RACES = (
    Race("voc-fcn8s, forward", "nets/voc-fcn8s/deploy.prototxt", 300),
    Race("voc-fcn8s, training step", "nets/voc-fcn8s/deploy.prototxt", 300, trains=True),
    Race("SqueezeNet 1.1, forward", "nets/reference/squeezenet_v1.1/deploy.prototxt", None),
    Race("SqueezeNet 1.1, training step", "nets/reference/squeezenet_v1.1/deploy.prototxt", None, trains=True),
    Race("GoogLeNet, forward", "nets/reference/googlenet/deploy.prototxt", None),
)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passes", type=int, default=5, metavar="N", help="timed passes a way and race (default: 5)")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="of voc-fcn8s's image (default: 300)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--only", default="", metavar="TEXT", help="races that have this in their names")
    parser.add_argument("--note", default="", metavar="TEXT", help="a remark for the table, on what else ran")
    options = parser.parse_args()
    log.logger.setLevel("ERROR")
    torch.set_num_threads(options.threads)
    caffe.set_threads(options.threads)
    caffe.tune_process()
    races = [race for race in RACES if options.only in race.name]
    columns = {race.name: gains(race, options.passes, options.size) for race in races}
    this = machine.describe("cpu")
    path = ROOT / "benchmarks" / "results" / f"ways-{machine.file_name(this, 'cpu')}.md"
    limit = f"; limited to {this['limit']} by {machine.LIMIT}" if "limit" in this else ""
    where = f"{this['cpu']} ({this['instructions']}{limit}), {options.threads} thread(s). {options.note}".strip()
    text = page(columns, where)
    path.write_text(text, encoding="utf-8")
    print(text)


def gains(race: Race, passes: int, size: int | None) -> dict[str, float]:
    """By way: the time without it over the time with all; and the seconds of that, as "all"."""
    net = net_of(race, size if race.size else None)

    def run() -> None:
        net.forward()
        if race.trains:
            net.clear_param_diffs()
            net.backward()

    found, seconds = {}, []
    left_out = untaken(net, run)
    for name, off in variants():
        if name in left_out:
            continue
        turns = [(seconds_of(net, run, nullcontext, passes), seconds_of(net, run, off, passes)) for _ in range(TURNS)]
        base, without = (min(side) for side in zip(*turns, strict=True))
        found[name] = without / base
        seconds.append(base)
        print(f"{race.name}, without {name}: {found[name]:.2f}", flush=True)
    return {"all": min(seconds), **found}


def untaken(net: caffe.Net, run: Callable[[], None]) -> set[str]:
    """The ways of operations that a net does not take, once weights are prepared."""
    taken: set[str] = set()

    def noting(name: str, way: Way) -> Way:
        return replace(way, run=lambda *given: taken.add(name) or way.run(*given))

    names = {f"{NAMES[operation]}: {row.name}" for operation, rows in ways.TABLES for row in rows}
    before = [operation.ways for operation, _ in ways.TABLES]
    for operation, _ in ways.TABLES:
        operation.ways = tuple(noting(f"{NAMES[operation]}: {row.name}", row) for row in operation.ways)
    for _ in range(WARM_UP):
        run()
    for (operation, _), rows in zip(ways.TABLES, before, strict=True):
        operation.ways = rows
    return names - taken


def seconds_of(
    net: caffe.Net, run: Callable[[], None], off: Callable[[], AbstractContextManager[object]], passes: int
) -> float:
    """The fastest pass with something switched off."""
    times = []
    with off():
        net.keep_diffs = False  # the net plans its passes anew
        for index in range(WARM_UP + passes):
            begin = time.perf_counter()
            run()
            if index >= WARM_UP:
                times.append(time.perf_counter() - begin)
    return min(times)


def net_of(race: Race, size: int | None) -> caffe.Net:
    """The race's net with drawn weights and image; one that trains has a loss of all its scores."""
    param = prototxt.read_net(str(ROOT / race.file))
    for layer in param.layer:
        if layer.type == "Input":
            shape = layer.input_param.shape[0]
            shape.dim[0] = 1
            shape.dim[2:] = [size or race.size or side for side in shape.dim[2:]]
        for field in ("convolution_param", "inner_product_param"):
            if layer.HasField(field) and layer.type != "Deconvolution":
                getattr(layer, field).weight_filler.type = "msra"
        if layer.type == "Deconvolution":
            layer.convolution_param.weight_filler.type = "bilinear"
    if race.trains:
        param.layer.add(
            name="loss", type="Reduction", bottom=[param.layer[-1].top[0]], top=["loss"], loss_weight=[1]
        ).reduction_param.operation = caffe.proto.caffe_pb2.ReductionParameter.MEAN
    param.state.phase = caffe.TRAIN if race.trains else caffe.TEST
    net = caffe.Net.from_message(param)
    rng = np.random.default_rng(0)
    for name in net.inputs:
        net.blobs[name].data[...] = rng.normal(scale=50, size=net.blobs[name].shape)
    return net


Variant = tuple[str, Callable[[], AbstractContextManager[object]]]


def variants() -> Iterator[Variant]:
    """The name of each part of the plan, and what switches it off."""
    for operation, rows in ways.TABLES:
        for row in rows:
            if row.name not in NEEDED:
                yield f"{NAMES[operation]}: {row.name}", lambda o=operation, name=row.name: without(o, name)
    yield "short maps", lambda: patch.object(elision.Elision, "_begins", lambda *given: False)
    yield "ReLU over its bottom", lambda: patch.object(overwriting.Overwriting, "forward", lambda *given: False)
    yield "the pool of memory", lambda: patch.object(pool, "empty_like", lambda x, *shape: x.new_empty(shape))
    yield "all of them", lambda: patch.object(switches, "PLAIN", True)


@contextmanager
def without(operation: Operation, name: str) -> Iterator[None]:
    """An operation whose table lacks a row."""
    before = operation.ways
    operation.ways = tuple(way for way in before if way.name != name)
    try:
        yield
    finally:
        operation.ways = before


def page(columns: dict[str, dict[str, float]], where: str) -> str:
    """The table in Markdown."""
    rows: Sequence[str] = list(dict.fromkeys(name for column in columns.values() for name in column if name != "all"))
    first = [f"{column['all']:.3f}" for column in columns.values()]
    cells = {row: [f"{each[row]:.2f}" if row in each else "–" for each in columns.values()] for row in rows}
    lines = [
        "# What each way of the plan gains",
        "",
        f"{where} Written by `python -m benchmarks.ways`.",
        "",
        "How many times as long a pass takes without the way; –: the net does not take it.",
        "",
        "| without | " + " | ".join(columns) + " |",
        "|---|" + "---:|" * len(columns),
        "| (seconds with all) | " + " | ".join(first) + " |",
        *(f"| {row} | " + " | ".join(found) + " |" for row, found in cells.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
