"""What data layers promise beyond the recorded cases: threads, errors, seeds, arrays given by the program."""

import gc
import itertools
import os
import threading
import time
import weakref

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

import caffe
from caffe.data.prefetch import Prefetcher, in_order
from caffe.errors import CaffeError, DataError
from tests.cases.data_files import datum, encoded_lmdb, hdf5_files, image_list, pixels, raw_lmdb, windows, write_lmdb
from tests.patience import PATIENCE


@pytest.fixture
def net(tmp_path, monkeypatch):
    """Makes a net of one layer; its files are in the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(layer: str, files=None, phase=caffe.TRAIN):
        if files:
            files(tmp_path)
        (tmp_path / "net.prototxt").write_text(f'layer {{ name: "layer" {layer} }}')
        return caffe.Net("net.prototxt", phase)

    return make


LMDB = 'type: "Data" top: "data" top: "label" data_param { source: "lmdb" backend: LMDB batch_size: %d }'
IMAGES = 'type: "ImageData" top: "data" top: "label" image_data_param { source: "%s.txt" batch_size: 1 }'
WINDOWS = (
    'type: "WindowData" top: "data" top: "label" transform_param { crop_size: 4 } '
    'window_data_param { source: "windows.txt" batch_size: 2 %s }'
)
MEMORY = (
    'type: "MemoryData" top: "data" top: "label" memory_data_param { batch_size: 2 channels: 1 height: 1 width: 3 }'
)
HDF5 = 'type: "HDF5Data" top: "data" hdf5_data_param { source: "%s" batch_size: %d %s }'


def workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "_make" in thread.name}


class TestPrefetching:
    def test_batches_come_in_order_and_only_so_many_ahead(self):
        made = []

        def numbers():
            for number in range(1000):
                made.append(number)
                yield number

        batches = Prefetcher(numbers(), 3)
        assert [batches.next() for _ in range(50)] == list(range(50))
        assert len(made) <= 54

    def test_nothing_is_read_before_the_first_forward(self, net):
        before = workers()
        layers = net(LMDB % 2, raw_lmdb)
        assert not workers() - before
        layers.forward()
        assert len(workers() - before) == 1

    def test_the_thread_ends_with_the_net(self, net):
        before = workers()
        made = net(LMDB % 2, raw_lmdb)
        made.forward()
        (worker,) = workers() - before
        layer = weakref.ref(made.layers[0])
        del made
        gc.collect()
        assert layer() is None
        worker.join(timeout=PATIENCE)
        assert not worker.is_alive()

    def test_an_error_is_raised_by_every_forward_from_then_on(self, net):
        made = net(IMAGES % "missing", image_list)
        made.forward()
        for _ in range(2):
            with pytest.raises(DataError, match=r"layer 'layer' \(ImageData\), 'missing.txt': Could not load"):
                made.forward()

    @pytest.mark.parametrize("depth", [0, 2])
    def test_an_error_that_nobody_foresaw_arrives_too(self, depth):
        def broken():
            yield 1
            raise KeyError("lost")

        batches = Prefetcher(broken(), depth)
        assert batches.next() == 1
        for _ in range(2):
            with pytest.raises(KeyError):
                batches.next()

    def test_none_ahead_means_no_threads(self, net):
        before = set(threading.enumerate())
        made = net(LMDB.replace("batch_size", "prefetch: 0 batch_size") % 2, raw_lmdb)
        assert [made.forward()["label"].tolist() for _ in range(3)] == [[0, 10], [20, 30], [40, 0]]
        assert set(threading.enumerate()) == before


class TestDecodingInThreads:
    def test_the_order_stays(self):
        def slow(number):
            time.sleep(0.002 * (number % 3))
            return number

        made = in_order(slow, itertools.count(), threads=True)
        assert [next(made) for _ in range(50)] == list(range(50))

    def test_several_at_the_same_time(self):
        together = threading.Barrier(min(os.cpu_count(), 2), timeout=PATIENCE)
        made = in_order(lambda number: together.wait() >= 0, itertools.count(), threads=True)
        assert next(made)
        together.abort()

    def test_an_error_waits_for_its_turn(self):
        def inverse(number):
            return 1 / (3 - number)

        made = in_order(inverse, itertools.count(), threads=True)
        assert [next(made) for _ in range(3)] == [1 / 3, 1 / 2, 1]
        with pytest.raises(ZeroDivisionError):
            next(made)

    def test_crops_are_the_same_with_and_without_threads(self, net):
        crops = LMDB.replace("batch_size", "prefetch: %d batch_size") + " transform_param { crop_size: 3 mirror: true }"
        batches = []
        for ahead in (0, 3):
            caffe.set_random_seed(5)
            made = net(crops.replace('"lmdb"', '"color"') % (ahead, 2), encoded_lmdb if not ahead else None)
            batches.append([made.forward()["data"].copy() for _ in range(6)])
        np.testing.assert_array_equal(*batches)

    def test_the_threads_end_with_the_net(self, net):
        before = set(threading.enumerate())
        made = net(IMAGES % "same", image_list)
        made.forward()
        started = set(threading.enumerate()) - before
        assert len(started) > 1
        del made
        gc.collect()
        for thread in started:
            thread.join(timeout=PATIENCE)
            assert not thread.is_alive()


class TestErrors:
    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            ("images/0.png cat\n", r"list.txt:1: label 'cat' found, expected a whole number"),
            ("images/0.png 1\n\nimages/1.png x1\n", r"list.txt:3: label 'x1' found"),
            ("images/none.png 1\n", r", 'list.txt': Could not load images/none.png: No such file"),
            ("list.txt 1\n", r"Could not load list.txt: .* Expected a whole image file"),
        ],
    )
    def test_a_bad_line_of_an_image_list_is_named(self, net, tmp_path, lines, words):
        (tmp_path / "list.txt").write_text(lines)
        with pytest.raises(DataError, match=r"layer 'layer' \(ImageData\).*" + words):
            net(IMAGES % "list", image_list)

    def test_labels_may_end_in_spaces_and_carriage_returns(self, net, tmp_path):
        (tmp_path / "list.txt").write_bytes(b"images/0.png 4 \r\nimages/with alpha.png 5\r\n\r\n")
        made = net(IMAGES % "list", image_list)
        assert [made.forward()["label"].item() for _ in range(3)] == [4, 5, 4]

    def test_the_key_of_a_bad_datum_is_named(self, net, tmp_path):
        bad = datum(np.zeros((1, 2, 2), np.uint8), 0)
        bad.data = b"123"
        write_lmdb(tmp_path / "lmdb", [datum(np.zeros((1, 2, 2), np.uint8), 0), bad])
        made = net(LMDB % 1)
        made.forward()
        with pytest.raises(DataError, match=r"layer 'layer' \(Data\): '00000001' of 'lmdb' holds 3 bytes"):
            made.forward()

    def test_images_of_two_sizes_in_a_batch_are_named(self, net, tmp_path):
        write_lmdb(tmp_path / "lmdb", [datum(np.zeros((1, 2, size), np.uint8), 0) for size in (3, 4)])
        with pytest.raises(DataError, match=r"'00000001' of 'lmdb' is 1×2×4, the first of its batch is 1×2×3"):
            net(LMDB % 2).forward()

    def test_a_window_outside_of_its_image_is_named(self, net, tmp_path):
        Image.fromarray(pixels(20, 30)).save(tmp_path / "0.png")
        (tmp_path / "windows.txt").write_text("# 0 0.png 3 20 30 2\n1 1 0 0 30 19\n0 0 0 0 30 19\n")
        made = net(WINDOWS % "")
        with pytest.raises(DataError, match=r"window \(0, 0, 30, 19\) of '0.png' is not inside the image, 30×20"):
            made.forward()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("# 0 0.png 3 20 30 2\n1 1 0 0 3", r"'windows.txt', image 0: 6 more words expected, the file ends after 5"),
            ("# 0 0.png 3 20 30 x", r"image 0: invalid literal"),
            ("0 0.png 3 20 30 0", r"image 0: '0' found, expected '#'"),
            ("# 1 0.png 3 20 30 0", r"image_index 1 found, expected 0"),
            ("# 0 0.png 1 20 30 0", r"'0.png' has 1 channels, expected 3"),
        ],
    )
    def test_a_damaged_window_file_is_named(self, net, tmp_path, text, words):
        (tmp_path / "windows.txt").write_text(text)
        with pytest.raises(DataError, match=r"layer 'layer' \(WindowData\): .*" + words):
            net(WINDOWS % "")

    def test_rows_of_two_shapes_are_named(self, net, tmp_path):
        for name, width in (("a", 2), ("b", 3)):
            with h5py.File(tmp_path / f"{name}.h5", "w") as file:
                file["data"] = np.zeros((1, width))
        (tmp_path / "list.txt").write_text("a.h5 b.h5")
        made = net(HDF5 % ("list.txt", 2, ""))
        with pytest.raises(DataError, match=r"rows of 'data' are 3 in 'b.h5', 2 in the file before"):
            made.forward()

    def test_an_hdf5_file_in_place_of_the_list_that_names_it_is_told(self, net):
        with pytest.raises(DataError, match="source 'a.h5' is an HDF5 file itself, expected a text file that names"):
            net(HDF5 % ("a.h5", 2, ""), hdf5_files)

    def test_what_an_hdf5_file_has_is_listed(self, net):
        with pytest.raises(DataError, match=r"Failed to find HDF5 dataset image in 'a.h5', which has data, .*label"):
            net((HDF5 % ("one.txt", 2, "")).replace('"data"', '"image"'), hdf5_files)


class TestRandomness:
    RANDOM = (
        LMDB % 5 + " transform_param { crop_size: 3 mirror: true }",
        raw_lmdb,
    )

    def batches(self, net, seed):
        caffe.set_random_seed(seed)
        made = net(*self.RANDOM) if not hasattr(self, "again") else caffe.Net("net.prototxt", caffe.TRAIN)
        self.again = True
        return np.stack([made.forward()["data"].copy() for _ in range(3)])

    def test_one_seed_gives_one_sequence(self, net):
        first = self.batches(net, 1)
        torch.rand(7)  # nobody else's draws move the data
        np.testing.assert_array_equal(self.batches(net, 1), first)
        assert not np.array_equal(self.batches(net, 2), first)

    def test_two_nets_read_one_database(self, net):
        first = net(LMDB % 2, raw_lmdb)
        second = caffe.Net("net.prototxt", caffe.TEST)
        for _ in range(3):
            np.testing.assert_array_equal(first.forward()["data"], second.forward()["data"])

    def test_a_shuffled_hdf5_gives_every_row_once_in_a_pass(self, net):
        caffe.set_random_seed(5)
        made = net((HDF5 % ("two.txt", 7, "shuffle: true")).replace('"data"', '"double"'), hdf5_files)
        passes = [np.sort(made.forward()["double"].ravel()) for _ in range(3)]
        with h5py.File("a.h5") as a, h5py.File("b.h5") as b:
            rows = np.sort(np.concatenate([a["double"][()].ravel(), b["double"][()].ravel()])).astype(np.float32)
        for found in passes:
            np.testing.assert_array_equal(found, rows)

    def test_dummy_data_is_drawn_anew_unless_constant(self, net):
        fillers = 'data_filler { type: "uniform" } data_filler { value: 3 }'
        made = net(
            f'type: "DummyData" top: "drawn" top: "constant" dummy_data_param {{ shape {{ dim: 9 }} {fillers} }}'
        )
        assert not made.blobs["drawn"].data.any()
        assert (made.blobs["constant"].data == 3).all()
        first = made.forward()["drawn"].copy()
        made.blobs["constant"].data[...] = 7
        found = made.forward()
        assert not np.array_equal(found["drawn"], first)
        assert (found["constant"] == 7).all()


class TestMemoryData:
    DATA = np.arange(18, dtype=np.float32).reshape(6, 1, 1, 3)
    LABELS = np.arange(6, dtype=np.float32)

    def test_arrays_are_walked_through_again_and_again(self, net):
        made = net(MEMORY)
        assert made.blobs["label"].data.shape == (2,)
        made.set_input_arrays(self.DATA, self.LABELS)
        for begin in (0, 2, 4, 0):
            found = made.forward()
            np.testing.assert_array_equal(found["data"], self.DATA[begin : begin + 2])
            np.testing.assert_array_equal(found["label"].ravel(), [begin, begin + 1])
            assert found["label"].shape == (2, 1, 1, 1)

    def test_later_changes_of_the_array_are_seen_and_the_net_does_not_change_it(self, net):
        data = self.DATA.copy()
        made = net(MEMORY + ' } layer { name: "relu" type: "Power" bottom: "data" top: "data" power_param { scale: 2 }')
        made.set_input_arrays(data, self.LABELS)
        data[0] = -1
        assert made.forward(end="relu")["data"][0].tolist() == [[[-2, -2, -2]]]
        assert data[0].tolist() == [[[-1, -1, -1]]]

    @pytest.mark.parametrize(
        ("data", "labels", "words"),
        [
            (DATA.astype(float), LABELS, "data array must be float32"),
            (DATA, LABELS.astype(int), "labels array must be float32"),
            (DATA[..., ::2], LABELS, "data array must be C contiguous"),
            (DATA.reshape(6, 3), LABELS, "data array must be 4-d"),
            (DATA.reshape(6, 3, 1, 1), LABELS, "data array has wrong number of channels"),
            (DATA.reshape(6, 1, 3, 1), LABELS, "data array has wrong height"),
            (DATA[..., :2].copy(), LABELS, "data array has wrong width"),
            (DATA, LABELS.reshape(6, 1), "labels array must be 4-d"),
            (DATA, LABELS[:4], "data and labels must have the same first dimension"),
            (DATA[:3], LABELS[:3], "first dimensions of input arrays must be a multiple of batch size"),
        ],
    )
    def test_arrays_that_do_not_fit_are_refused_in_pycaffes_words(self, net, data, labels, words):
        made = net(MEMORY)
        with pytest.raises(DataError, match=words):
            made.set_input_arrays(data, labels)

    def test_another_first_layer_is_refused(self, net):
        made = net(LMDB % 2, raw_lmdb)
        with pytest.raises(
            CaffeError, match="set_input_arrays may only be called if the first layer is a MemoryDataLayer"
        ):
            made.set_input_arrays(self.DATA, self.LABELS)


def test_hdf5_output_holds_the_blobs_with_four_axes(net, tmp_path):
    (tmp_path / "net.prototxt").write_text("")
    made = net(
        'type: "DummyData" top: "a" top: "b" dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 } '
        'data_filler { type: "uniform" } } } layer { name: "out" type: "HDF5Output" bottom: "a" bottom: "b" '
        'hdf5_output_param { file_name: "out.h5" }'
    )
    made.forward()
    with h5py.File("out.h5") as file:
        np.testing.assert_array_equal(file["data"], made.blobs["a"].data.reshape(2, 3, 1, 1))
        np.testing.assert_array_equal(file["label"], made.blobs["b"].data.reshape(2, 1, 1, 1))
        assert file["data"].dtype == np.float32


@pytest.mark.parametrize("cache", ["", "cache_images: true"])
def test_a_missing_image_of_windows_is_named(net, tmp_path, cache):
    windows(tmp_path)
    (tmp_path / "0.png").unlink()
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"layer 'layer' \(WindowData\), 'windows.txt': Could not load [01].png"):
        net(WINDOWS % cache).forward()


def test_a_missing_database_is_named(net):
    with pytest.raises(DataError, match=r"layer 'layer' \(Data\): database 'lmdb' does not exist"):
        net(LMDB % 2)


def test_cached_windows_outlive_their_files(net, tmp_path):
    made = net(WINDOWS % "cache_images: true", windows)
    for path in tmp_path.glob("*.png"):
        path.unlink()
    assert made.forward()["label"].shape == (2,)


def test_force_backward_passes_data_layers_by(net):
    made = net(
        MEMORY + ' } layer { name: "p" type: "Power" bottom: "data" top: "p" power_param { scale: 3 } } '
        'layer { name: "s" type: "Silence" bottom: "label" } force_backward: true '
        'layer { name: "e" type: "DummyData" top: "e" dummy_data_param { shape { dim: 1 } }'
    )
    made.set_input_arrays(TestMemoryData.DATA, TestMemoryData.LABELS)
    made.forward()
    made.blobs["p"].diff[...] = 1
    made.backward()
    assert (made.blobs["data"].diff == 3).all()
    assert not made.blobs["e"].diff.any()
