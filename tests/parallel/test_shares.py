"""Which records a solver reads, and what is sent together."""

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

import caffe
from caffe import ranks
from caffe.errors import UsageError
from caffe.solver import workers
from tests.cases.data_files import datum, write_lmdb

RECORDS = 7


@pytest.fixture
def rank(monkeypatch):
    """rank(r, n): this process is solver r of n."""

    def be(rank, count):
        monkeypatch.setattr(ranks, "_count", count)
        monkeypatch.setattr(ranks, "_rank", rank)

    return be


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """labels(layer text, phase) → the labels of four batches of 2."""
    monkeypatch.chdir(tmp_path)
    images = [np.full((1, 2, 2), index, np.uint8) for index in range(RECORDS)]
    write_lmdb(tmp_path / "lmdb", [datum(image, index) for index, image in enumerate(images)])
    for index, image in enumerate(images):
        Image.fromarray(image[0]).save(f"{index}.png")
    (tmp_path / "list.txt").write_text("".join(f"{index}.png {index}\n" for index in range(RECORDS)))
    for name, rows in ("a.h5", range(3)), ("b.h5", range(3, RECORDS)):
        with h5py.File(name, "w") as file:
            file["data"] = file["label"] = np.array(rows, np.float32)
    (tmp_path / "files.txt").write_text("a.h5 b.h5")

    def read(layer, phase):
        (tmp_path / "net.prototxt").write_text(f'layer {{ name: "data" top: "data" top: "label" {layer} }}')
        net = caffe.Net("net.prototxt", phase)
        return [int(label) for _ in range(4) for label in net.forward()["label"]]

    return read


LAYERS = {
    "Data": 'type: "Data" data_param { source: "lmdb" backend: LMDB batch_size: 2 }',
    "ImageData": 'type: "ImageData" image_data_param { source: "list.txt" batch_size: 2 is_color: false }',
    "HDF5Data": 'type: "HDF5Data" hdf5_data_param { source: "files.txt" batch_size: 2 }',
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize(("solver", "count"), [(0, 1), (1, 2), (4, 5), (8, 9)])
def test_a_solver_takes_every_nth_record(layer, solver, count, labels, rank):
    rank(solver, count)
    assert labels(layer, caffe.TRAIN) == [(solver + count * n) % RECORDS for n in range(8)]
    assert labels(layer, caffe.TEST) == [n % RECORDS for n in range(8)]


def test_a_shuffled_list_is_shuffled_for_each(labels, rank):
    layer = LAYERS["ImageData"].replace("batch_size", "shuffle: true batch_size")
    caffe.set_random_seed(1)
    alone = labels(layer, caffe.TRAIN)
    rank(1, 2)
    caffe.set_random_seed(1)
    assert labels(layer, caffe.TRAIN) == alone


def test_small_gradients_are_sent_together(monkeypatch):
    monkeypatch.setattr(workers, "BUCKET", 10)
    gradients = [torch.empty(length) for length in (4, 6, 1, 12, 3, 3)]
    assert [[len(each) for each in bucket] for bucket in workers._buckets(gradients)] == [[4, 6], [1], [12], [3, 3]]
    assert list(workers._buckets([])) == []


def test_names_of_pycaffe():
    assert caffe.has_nccl()
    assert (caffe.solver_rank(), caffe.solver_count()) == (0, 1)
    with pytest.raises(UsageError, match="at least 1"):
        caffe.set_solver_count(0)
    with pytest.raises(UsageError, match="0 to"):
        caffe.set_solver_rank(-1)
