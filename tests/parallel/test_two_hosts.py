"""Two machines that train together: what they compute, and what happens when one of them, or the cable, fails."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cases.data_files import datum, write_lmdb
from tests.data_layers.conftest import voc  # noqa: F401 - a fixture
from tests.data_layers.driver import MEAN
from tests.parallel.conftest import NET, SOLVER, weights
from tests.parallel.hosts import TwoHosts, possible
from tests.parallel.test_training import SEGMENTATION

pytestmark = pytest.mark.slow(reason="each starts four processes, in network namespaces")

MOST = 300  # seconds until a test gives up waiting for what ought to have happened
RESTING = """
import time

import caffe


class Rest(caffe.Layer):
    \"\"\"Takes a moment, so that there is time to be killed in.\"\"\"

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        time.sleep(0.1)

    def backward(self, top, propagate_down, bottom):
        pass
"""
REST = 'layer { name: "rest" type: "Python" top: "rest" python_param { module: "rest" layer: "Rest" } }'
DROP = 'layer { name: "drop" type: "Dropout" bottom: "data" top: "dropped" }'
DROPPING = SEGMENTATION.replace('layer { name: "score"', DROP + '\nlayer { name: "score"').replace(
    'type: "Convolution" bottom: "data"', 'type: "Convolution" bottom: "dropped"'
)
LONG = SOLVER.replace("max_iter: 6 display: 2 snapshot: 4 test_iter: 1 test_interval: 3", "max_iter: 40 snapshot: 5")


@pytest.fixture
def hosts(tmp_path):
    """Two hosts; each has a folder of its own with the same net, solver and seven images."""
    why = possible()
    if why:
        pytest.skip(why)
    two = TwoHosts()
    yield two
    two.close()


def furnish(folder: Path, net: str = NET, solver: str = SOLVER, images: int = 7) -> Path:
    """A host's folder, with what it trains on."""
    folder.mkdir()
    rng = np.random.RandomState(0)
    pictures = [rng.randint(0, 256, (3, 4, 5)).astype(np.uint8) for _ in range(images)]
    write_lmdb(folder / "lmdb", [datum(picture, index % 3) for index, picture in enumerate(pictures)])
    (folder / "net.prototxt").write_text(net)
    (folder / "rest.py").write_text(RESTING)
    (folder / "solver.prototxt").write_text(solver + 'snapshot_prefix: "two"')
    return folder


def train(hosts: TwoHosts, folders: list[Path], *arguments: str, **environment: str) -> list[subprocess.Popen]:
    """Start the training on both; each host starts anew what failed, where the arguments say so."""
    launcher = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", *MEETING, *arguments]
    command = ["-m", "caffe", "train", "-solver=solver.prototxt", "-snapshot", "auto"]
    return [
        hosts.start(
            host,
            [*launcher, "--rdzv-conf", f"is_host={1 - host}", "--local-addr", hosts.address(host), *command],
            folder,
            **environment,
        )
        for host, folder in enumerate(folders)
    ]


MEETING = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{TwoHosts.address(0)}:29512", "--rdzv-id", "two"]
"""And who of them is who: a host's own name leads nowhere here."""


def ended(processes: list[subprocess.Popen]) -> list[int]:
    """Their exit statuses, once all have ended."""
    return [process.wait(MOST) for process in processes]


def log_of(folder: Path) -> str:
    return (folder / "log").read_text()


def until(text: str, *folders: Path) -> None:
    """Wait until one of the logs has this text."""
    for _ in range(10 * MOST):
        if any(text in log_of(folder) for folder in folders if (folder / "log").exists()):
            return
        time.sleep(0.1)
    raise AssertionError("\n".join(map(log_of, folders)))


def newest(*folders: Path) -> np.ndarray:
    """The weights at the end of the training, on whichever host its root was last."""
    (path,) = [path for folder in folders for path in folder.glob("two_iter_40.caffemodel")]
    return weights(path)


def test_two_hosts_train_as_one_process_with_two_batches(hosts, tmp_path, folder, alone):
    folders = [furnish(tmp_path / name) for name in "ab"]
    processes = train(hosts, folders)
    assert ended(processes) == [0, 0], log_of(folders[0]) + log_of(folders[1])
    (found,) = [path for each in folders for path in each.glob("two_iter_6.caffemodel")]
    np.testing.assert_allclose(weights(found), alone(), rtol=1e-5, atol=1e-6)


def test_a_group_that_lost_a_worker_goes_on_and_ends_as_if_it_had_not(hosts, tmp_path, voc):  # noqa: F811
    net = DROPPING.replace("PARAMS", str({"voc_dir": str(voc), "split": "train", "mean": MEAN, "seed": 1337}))
    solver = LONG.replace("base_lr: 0.1", "base_lr: 1e-5")
    unbroken = [furnish(tmp_path / f"unbroken_{name}", net, solver) for name in "ab"]
    assert ended(train(hosts, unbroken)) == [0, 0], log_of(unbroken[0]) + log_of(unbroken[1])
    folders = [furnish(tmp_path / name, net + REST, solver) for name in "ab"]
    processes = train(hosts, folders, "--max-restarts", "3")
    until("iter_15.solverstate", *folders)
    worker = next(pid for pid in children(processes[1].pid) if "caffe" in command_of(pid))
    os.kill(worker, signal.SIGKILL)
    assert ended(processes) == [0, 0], log_of(folders[0]) + log_of(folders[1])
    assert any("Resuming from two_iter_" in log_of(folder) for folder in folders)
    assert (newest(*folders) == newest(*unbroken)).all()


def test_a_link_that_stays_cut_ends_the_solvers_of_both_in_words(hosts, tmp_path):
    folders = [furnish(tmp_path / name, NET + REST, LONG) for name in "ab"]
    train(hosts, folders, CAFFE_LOST_AFTER="6")
    until("iter_10.solverstate", *folders)
    hosts.cable(plugged=False)
    for each in folders:
        until("Snapshots are kept: start all again with -snapshot auto.", each)
    assert any(list(each.glob("two_iter_10.solverstate")) for each in folders)


def test_a_link_that_comes_back_delays_the_training_alone(hosts, tmp_path):
    folders = [furnish(tmp_path / name, NET + REST, LONG) for name in "ab"]
    processes = train(hosts, folders)
    until("iter_10.solverstate", *folders)
    hosts.cable(plugged=False)
    time.sleep(3)
    hosts.cable(plugged=True)
    assert ended(processes) == [0, 0], log_of(folders[0]) + log_of(folders[1])
    assert len(newest(*folders))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"images": 8}, "data of layer 'data'"),
        ({"net": NET.replace("num_output: 4", "num_output: 5")}, "layer 'hidden': 'num_output: 4' here"),
        ({"solver": SOLVER.replace("base_lr: 0.1", "base_lr: 0.2")}, "solver: base_lr: '0.1"),
    ],
)
def test_hosts_with_other_data_nets_or_settings_are_told_so(hosts, tmp_path, other, told):
    folders = [furnish(tmp_path / "a"), furnish(tmp_path / "b", **other)]
    assert all(ended(train(hosts, folders)))
    for each in folders:
        assert told in log_of(each)


def test_a_full_disk_of_the_host_that_saves_ends_both_in_words(hosts, tmp_path):
    folders = [furnish(tmp_path / name, NET + REST, LONG.replace("snapshot: 5", "snapshot: 20")) for name in "ab"]
    for each in folders:
        (each / "small").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", each / "small"], check=True)
        path = each / "solver.prototxt"
        path.write_text(path.read_text().replace('"two"', '"small/two"'))
    try:
        assert all(ended(train(hosts, folders)))
    finally:
        for each in folders:
            subprocess.run(["umount", "-l", each / "small"], check=True)
    logs = [log_of(each) for each in folders]
    assert any("no space left on the device" in log for log in logs)
    assert any("If another solver has ended, it says why." in log for log in logs)


def children(pid: int) -> list[int]:
    """All processes that this one has started, and those have."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, listed) for each in (child, *children(child))]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
