"""The machine's measured rates, and the least time that the operations and bytes of a forward take at them.

    python -m benchmarks.floor cpu|cuda

Of each layer counts what takes longer, its operations or its bytes (caffe/net/work.py); a layer that works in
place is part of the one before it. The whole maps count: a plan that leaves out their constant border can come below
this floor. Prints JSON.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

import caffe
from caffe.cli.time import rates
from caffe.net import work
from fcn_caffe.program import quiet

ROOT = Path(__file__).resolve().parents[1]


def floor(device: str) -> dict[str, Any]:
    """What main prints."""
    quiet(caffe)
    if device == "cuda":
        caffe.set_mode_gpu()
    net = caffe.Net(str(ROOT / "nets/voc-fcn8s/deploy.prototxt"), caffe.TEST)
    nodes = [node for node in net.nodes if not (node.bottom and node.bottom[0] is node.top[0])]
    traffic = rates.bytes_per_second()
    operations = sum(work.forward(node).operations for node in nodes)
    found: dict[str, Any] = {"net and copy": {"operations": operations, "bytes_per_second": traffic}}
    for precision in ("fp32", "tf32", "bf16") if device == "cuda" else ("fp32", "bf16"):
        caffe.set_precision(precision)
        rate, _ = rates.operations_per_second()
        least = sum(work.forward(node).seconds(rate, traffic) for node in nodes)
        found[f"floor {precision}"] = {"median": least, "operations_per_second": rate}
    return found


def main(device: str) -> None:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    print(json.dumps(floor(device)))


if __name__ == "__main__":
    main(sys.argv[1])
