"""Data layers on files and settings that would harm: errors name the layer, and nothing is read that is not theirs."""

import h5py
import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.errors import DataError, NetError

ROWS = np.arange(8, dtype=np.float32).reshape(4, 2)


@pytest.fixture
def net(tmp_path, monkeypatch):
    """Builds a net of one layer; files are written in the working directory."""
    monkeypatch.chdir(tmp_path)

    def build(layer):
        (tmp_path / "net.prototxt").write_text(f'layer {{ name: "x" {layer} }}')
        return caffe.Net("net.prototxt", caffe.TRAIN)

    return build


@pytest.fixture
def hdf5(net, tmp_path):
    """Builds a net that reads an HDF5 file, once a function has put "data" into it."""

    def build(fill):
        (tmp_path / "other.bin").write_bytes(b"secret!!" * 4)
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["data"] = ROWS
        with h5py.File(tmp_path / "x.h5", "w") as file:
            fill(file)
        (tmp_path / "list.txt").write_text("x.h5\n")
        return net('type: "HDF5Data" top: "data" hdf5_data_param { source: "list.txt" batch_size: 2 }')

    return build


def virtual(file):
    layout = h5py.VirtualLayout(shape=(4, 2), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", shape=(4, 2))
    file.create_virtual_dataset("data", layout)


def external(file):
    file.create_dataset("data", (4, 2), "f4", external=[("other.bin", 0, 32)])


def linked(file):
    file["data"] = h5py.ExternalLink("other.h5", "data")


def linked_by_a_link(file):
    file["away"] = h5py.ExternalLink("other.h5", "/")
    file["data"] = h5py.SoftLink("/away/data")


def empty(file):
    file.create_dataset("data", (10**5, 10**4), "f4", chunks=(100, 100))


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (virtual, "points to another file"),
        (external, "points to another file"),
        (linked, "is a link to 'other.h5'"),
        (linked_by_a_link, "away is a link to 'other.h5'"),
        (empty, "stores nearly nothing"),
    ],
)
def test_hdf5_data_reads_only_what_is_in_its_file(hdf5, fill, words):
    with pytest.raises(DataError, match=rf"layer 'x' \(HDF5Data\): .*x\.h5.*{words}"):
        hdf5(fill)


def test_hdf5_data_follows_a_link_within_its_file(hdf5):
    def within(file):
        file["rows"] = ROWS
        file["data"] = h5py.SoftLink("rows")

    assert hdf5(within).forward()["data"].tolist() == ROWS[:2].tolist()


def pictures(folder, labels):
    """Image files 0.png … of 4×4 pixels, and the list of them."""
    for number in range(len(labels)):
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(folder / f"{number}.png")
    (folder / "list.txt").write_text("".join(f"{number}.png {label}\n" for number, label in enumerate(labels)))


IMAGES = 'type: "ImageData" top: "data" top: "label" image_data_param { source: "list.txt" batch_size: 3 }'
LOSS = (
    ' } layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } } '
    'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } '
)
ACCURACY = 'layer { name: "right" type: "Accuracy" bottom: "ip" bottom: "label" top: "right" '


def test_labels_out_of_range_are_refused_with_the_images_names(net, tmp_path):
    pictures(tmp_path, [1, 7, 2, 9, 4, 300])
    made = net(IMAGES + LOSS.rstrip(" }"))
    with pytest.raises(DataError, match=r"layer 'loss' .* have the values 7, .* batch's images '1.png'\."):
        made.forward()
    with pytest.raises(DataError, match=r"have the values 9, 300, .* batch's images '3.png', '5.png'\."):
        made.forward()


def test_labels_that_go_to_several_layers_are_refused_with_the_images_names(net, tmp_path):
    pictures(tmp_path, [1, 7, 2])
    made = net(IMAGES + LOSS + ACCURACY)
    with pytest.raises(DataError, match=r"batch's images '1.png'\."):
        made.forward()


@pytest.mark.parametrize(("label", "shown"), [("9" * 400, "9{20}… .400 characters."), (str(2**31), str(2**31))])
def test_a_label_that_no_int_holds_is_refused_with_its_line(net, tmp_path, label, shown):
    pictures(tmp_path, [0, label])
    with pytest.raises(
        DataError, match=rf"layer 'x' \(ImageData\): list.txt:2: '1.png' has the label {shown}, expected"
    ):
        net(IMAGES)


def test_more_batches_ahead_than_anybody_needs_are_refused(net, tmp_path):
    pictures(tmp_path, [0])
    with pytest.raises(
        NetError, match=r"layer 'x' \(ImageData\): prefetch is 1,000,000 batches, expected at most 1,024"
    ):
        net(IMAGES + " data_param { prefetch: 1000000 }")


def test_a_list_with_a_nul_byte_in_a_name_is_refused_by_its_line(net, tmp_path):
    (tmp_path / "list.txt").write_bytes(b"a\0b.png 1\n")
    with pytest.raises(DataError, match=r"layer 'x' \(ImageData\): list.txt:1: zero bytes found"):
        net(IMAGES)


def test_a_layer_for_which_there_is_no_memory_is_named(net, monkeypatch):
    made = net('type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 } data_filler { type: "uniform" } }')

    def short(bottom, top):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried …")

    monkeypatch.setattr(made.layers[0], "forward", short)
    with pytest.raises(NetError, match=r"layer 'x' \(DummyData\): .* more memory than there is .*can't allocate"):
        made.forward()
