"""The small nets of the benchmark run forward and backward in what pycaffe and Python 3.9 have."""

from benchmarks import published
from benchmarks.environments import REFERENCE_NETS


def test_every_task_of_a_net_is_timed():
    found = published.measure(str(REFERENCE_NETS), names=("lenet",))
    assert list(found) == [
        "lenet, 1 image, forward",
        "lenet, 10 images, forward",
        "lenet, 1 image, forward and backward",
        "lenet, 10 images, forward and backward",
    ]
    assert all(seconds > 0 for seconds in found.values())


def test_all_its_nets_are_there():
    assert all((REFERENCE_NETS / name / "deploy.prototxt").exists() for name in published.NETS)
