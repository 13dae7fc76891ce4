"""An update of two solvers on two machines, over links of several speeds: seconds, beside the computed time.

    python -m benchmarks.slow_link          as root, on Linux

The machines are network namespaces of this one, the link's rate is set by tc. The net is an InnerProduct of 4 million
weights (16 MB), whose own work is small beside the transfer. With n solvers, gloo's ring sends 2 (n − 1) / n times the
gradients' bytes from each: with two, all of them once.
"""

import re
import tempfile
from pathlib import Path

from tests.parallel.hosts import TwoHosts

RATES = (10_000, 1_000, 300, 100)  # Mbit/s in each direction
SIDE = 2000  # inputs and outputs of the InnerProduct
ITERATIONS = 11
NET = f"""
layer {{ name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param {{ shape {{ dim: 1 dim: {SIDE} }} shape {{ dim: 1 dim: {SIDE} }}
    data_filler {{ type: "gaussian" std: 0.1 }} }} }}
layer {{ name: "score" type: "InnerProduct" bottom: "data" top: "score"
  inner_product_param {{ num_output: {SIDE} weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "score" bottom: "label" top: "loss" }}
"""
SOLVER = f"""
net: "net.prototxt" base_lr: 0.0001 lr_policy: "fixed" max_iter: {ITERATIONS} display: 1 random_seed: 1
snapshot_prefix: "s" snapshot_after_train: false
"""


def main() -> None:
    print(f"| Mbit/s | seconds an update | {SIDE * SIDE * 4 / 1e6:.0f} MB by arithmetic |\n| --- | --- | --- |")
    for rate in RATES:
        print(f"| {rate:,} | {_seconds(rate):.2f} | {SIDE * SIDE * 32 / (rate * 1e6):.2f} |", flush=True)


def _seconds(rate: int) -> float:
    hosts = TwoHosts()
    try:
        hosts.slow(rate)
        with tempfile.TemporaryDirectory() as name:
            folders = [Path(name) / host for host in "ab"]
            for folder in folders:
                folder.mkdir()
                (folder / "net.prototxt").write_text(NET)
                (folder / "solver.prototxt").write_text(SOLVER)
            launcher = f"-m torch.distributed.run --nnodes 2 --nproc-per-node 1 --master-addr {hosts.address(0)}"
            processes = [
                hosts.start(
                    host,
                    [
                        *launcher.split(),
                        *f"--node-rank {host} --master-port 29513".split(),
                        *["-m", "caffe", "train", "-solver", "solver.prototxt"],
                    ],
                    folder,
                )
                for host, folder in enumerate(folders)
            ]
            for process in processes:
                process.wait()
            found = re.findall(r"Iteration \d+ \(.*?, ([\d.e-]+)s/1 iters\)", (folders[0] / "log").read_text())
    finally:
        hosts.close()
    return sorted(map(float, found[1:]))[len(found[1:]) // 2]


if __name__ == "__main__":
    main()
