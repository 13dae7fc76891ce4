"""No test works in the home of the project of whoever runs it; processes that share the cores have one thread each.

What tells most in a minute (`make fast`) is all but the slow tests and the thorough ones, most of them in THOROUGH.
"""

import logging
import os
from pathlib import Path

import pytest

from caffe import cpus
from caffe.log import log

HERE = Path(__file__).parent
THOROUGH = {
    "analyses": "trainings and scorings in small",
    "annotations": "exports of other programs read whole",
    "benchmarks": "measuring programs run in small",
    "cli": "whole commands, many in processes of their own",
    "data_layers/test_published_nets.py": "whole nets",
    "data_layers/test_picture_formats.py": "pictures of every format, and every source parsed",
    "export": "whole nets exported, and computed by ONNX Runtime",
    "faults": "a process for each way to fail",
    "forks": "layer types of forks, tested as BVLC's",
    "formats/test_schema.py": "every field of the schema by itself",
    "gpu": "every case once more on a pretended GPU",
    "net_spec": "every file of every net made anew",
    "ops": "the dense CRF beside sums over all pairs of pixels",
    "parallel": "trainings in several processes",
    "plan": "each way of the plan in detail; the cases of layers go through all of them",
    "solver/test_snapshot_lock.py": "processes that are killed",
    "solver/test_trajectories.py": "hundreds of trainings",
    "test_adding_a_layer.py": "processes of their own",
    "test_axes_of_bottoms.py": "every type on bottoms of any number of axes",
    "test_database.py": "damage at every byte",
    "test_docstrings.py": "every public name of the project",
    "test_forks.py": "processes of their own",
    "test_generated_docs.py": "every page made anew",
    "test_metrics.py": "the official labels of a whole data set, where they are",
    "test_names.py": "processes of their own",
    "test_process.py": "processes of their own",
    "test_traits.py": "what types promise the plan, case by case",
    "tools": "whole commands, many in processes of their own",
}
"""The folders and files of tests that `make fast` leaves out, and why."""
FAST = "not thorough"
"""What `make fast` asks for, among other things."""

os.environ.pop("FCN_CAFFE_ROOT", None)
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many as the affinity and the CPU quota of this process allow."""
    return cpus.available(cpus.quota())


@pytest.fixture(autouse=True)
def log_level():
    """Commands that run in this process set how much is logged; the next test begins as the first did."""
    level = log.logger.level
    yield
    log.setLevel(level)


@pytest.fixture(autouse=True, scope="module")
def loggers_of_torch():
    """pytest attaches itself to every logger that does not propagate, three times a test: torch has forty of them."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch"):
            logging.getLogger(name).propagate = True


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make fast` does not even read what it leaves out: that alone takes each worker ten seconds."""
    whole = collection_path.is_relative_to(HERE) and collection_path.relative_to(HERE).as_posix() in THOROUGH
    return True if whole and FAST in config.getoption("markexpr") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in (*item.iter_markers("slow"), *item.iter_markers("thorough")):
            if set(marker.kwargs) != {"reason"} or not marker.kwargs["reason"]:
                raise pytest.UsageError(f'{item.nodeid}: say why, {marker.name}(reason="...")')
        place = item.path.relative_to(HERE)
        for path in (place, *place.parents):
            if reason := THOROUGH.get(path.as_posix()):
                item.add_marker(pytest.mark.thorough(reason=reason))
