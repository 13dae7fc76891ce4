"""VideoData: frames of a film or a camera (SSD), clips of a list (C3D)."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.errors import CaffeError
from caffe.formats import binaryproto, prototxt
from caffe.proto import caffe_pb2
from tests.forks.forms import layer, net_of

FRAMES = 7


def frame(clip, number):
    """6 × 8 pixels, another picture for each frame of each clip."""
    return np.random.default_rng([clip, number]).integers(0, 256, (6, 8, 3), np.uint8)


@pytest.fixture
def films(tmp_path, monkeypatch):
    """OpenCV that finds films clip0 … clip2 and camera 3, with FRAMES frames each, and the list of the films."""

    class VideoCapture:
        def __init__(self, source):
            name = str(source).rsplit("/", 1)[-1].removeprefix("clip")
            self.clip, self.number = int(name) if name.isdigit() else None, 0

        def isOpened(self):
            return self.clip is not None

        def grab(self):
            self.number += 1
            return self.number <= FRAMES

        def read(self):
            there = self.number < FRAMES
            found = frame(self.clip, self.number) if there else None
            self.number += 1
            return there, found

        def release(self):
            self.clip = None

    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=VideoCapture))
    (tmp_path / "list.txt").write_text("".join(f"clip{k} {k} {k + 4}\n" for k in range(3)))
    return tmp_path


@pytest.fixture
def folders(tmp_path):
    """The same frames as pictures, from 000001.png on under the name of C3D's."""
    for clip in range(3):
        (tmp_path / f"clip{clip}").mkdir()
        for number in range(FRAMES):
            with open(tmp_path / f"clip{clip}" / f"{number + 1:06d}.jpg", "wb") as file:
                Image.fromarray(frame(clip, number)[..., ::-1]).save(file, "PNG")
    (tmp_path / "list.txt").write_text("".join(f"clip{k} {k + 1} {k + 4}\n" for k in range(3)))
    return tmp_path


def clip(number, first, length, step=1):
    return np.stack([frame(number, first + k * step) for k in range(length)]).transpose(3, 0, 1, 2).astype(np.float32)


def reading(folder, settings, extra="", phase=caffe.TEST, tops=2):
    where = f"source: '{folder}/list.txt' root_folder: '{folder}/'"
    return net_of(layer("VideoData", f"video_data_param {{ {where} {settings} }} {extra}"), [], tops, phase)


def tops_of(net):
    net.forward()
    return [blob.data.copy() for blob in net.blobs.values()]


def test_clips_of_films_begin_at_their_frames(films):
    net = reading(films, "batch_size: 2 new_length: 4")
    assert net.blobs["y"].data.shape == (2, 3, 4, 6, 8)
    data, labels = tops_of(net)
    assert np.array_equal(data, [clip(0, 0, 4), clip(1, 1, 4)])
    assert labels.tolist() == [4, 5]
    data, labels = tops_of(net)
    assert np.array_equal(data, [clip(2, 2, 4), clip(0, 0, 4)])
    assert labels.tolist() == [6, 4]


def test_clips_of_folders_have_every_so_manieth_frame(folders):
    data, _ = tops_of(reading(folders, "batch_size: 3 new_length: 2 sampling_rate: 3 use_image: true"))
    assert np.array_equal(data, [clip(k, k, 2, 3) for k in range(3)])


def test_a_clip_is_cropped_and_mirrored_as_one(folders):
    extra = "transform_param { crop_size: 4 mirror: true scale: 0.5 mean_value: [1, 2, 3] }"
    net = reading(folders, "batch_size: 1 new_length: 3 use_image: true", extra, caffe.TRAIN)
    seen = set()
    for turn in range(24):
        data = tops_of(net)[0][0]
        number = turn % 3
        whole = (clip(number, number, 3) - np.reshape([1, 2, 3], (3, 1, 1, 1))) / 2
        places = [
            (top, left, mirrored)
            for top in range(3)
            for left in range(5)
            for mirrored in (False, True)
            if np.allclose(data, whole[:, :, top : top + 4, left : left + 4][..., :: -1 if mirrored else 1])
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 5


def test_the_mean_of_a_file_is_of_each_frame(folders):
    mean = np.random.default_rng(1).normal(size=(1, 3, 2, 6, 8)).astype(np.float32)
    binaryproto.write(str(folders / "mean.binaryproto"), mean)
    extra = f"transform_param {{ mean_file: '{folders}/mean.binaryproto' }}"
    data, _ = tops_of(reading(folders, "batch_size: 1 new_length: 2 use_image: true", extra))
    assert np.allclose(data[0], clip(0, 0, 2) - mean[0])
    with pytest.raises(CaffeError, match="Make them equal"):
        reading(folders, "batch_size: 1 new_length: 3 use_image: true", extra)


def test_the_start_is_drawn_in_train_where_that_is_asked_for(folders, films):
    (folders / "list.txt").write_text(f"clip1 {FRAMES} 5\n")
    net = reading(folders, "batch_size: 1 new_length: 3 use_image: true use_temporal_jitter: true", phase=caffe.TRAIN)
    (folders / "list.txt").write_text("clip1 5\n")
    of_films = reading(folders, "batch_size: 1 new_length: 3 use_temporal_jitter: true", phase=caffe.TRAIN)
    for each in (net, of_films):
        starts = set()
        for _ in range(30):
            data = tops_of(each)[0][0]
            (start,) = (k for k in range(FRAMES - 2) if np.array_equal(data, clip(1, k, 3)))
            starts.add(start)
        assert starts == set(range(FRAMES - 2))


def test_clips_are_resized_and_shuffled(films):
    net = reading(films, "batch_size: 3 new_length: 2 new_height: 3 new_width: 4 shuffle: true", phase=caffe.TRAIN)
    orders = set()
    for _ in range(8):
        data, labels = tops_of(net)
        assert data.shape == (3, 3, 2, 3, 4)
        assert sorted(labels) == [4, 5, 6]
        orders.add(tuple(labels))
        first = clip(int(labels[0]) - 4, int(labels[0]) - 4, 2)
        assert np.abs(data[0] - first.reshape(3, 2, 3, 2, 4, 2).mean((3, 5))).max() <= 0.51
    assert len(orders) > 1


def test_a_net_of_c3d_s_first_version_says_it_in_image_data_param(films):
    text = f"""layers {{ name: "data" type: VIDEO_DATA top: "data" top: "label" image_data_param {{
        source: "{films}/list.txt" root_folder: "{films}/" batch_size: 2 new_length: 4 crop_size: 4 mirror: false
        show_data: 0 use_temporal_jitter: false shuffle: false }} }}"""
    message = prototxt.parse(text, caffe_pb2.NetParameter())
    prototxt.upgrade_net(message, "c3d")
    data = caffe.Net.from_message(message).forward()["data"]
    assert np.array_equal(data, [clip(k, k, 4)[:, :, 1:5, 2:6] for k in range(2)])


@pytest.mark.parametrize(
    ("settings", "first", "step"),
    [
        ("video_type: VIDEO video_file: 'clip1'", 0, 1),
        ("video_type: VIDEO video_file: 'clip1' skip_frames: 1", 1, 2),
        ("device_id: 1", 0, 1),
    ],
)
def test_frames_of_a_film_or_a_camera_come_one_after_the_other(films, settings, first, step):
    text = layer("VideoData", f"video_data_param {{ {settings} }} data_param {{ batch_size: 2 }} "
                 "transform_param { mean_value: [1, 2, 3] }")  # fmt: skip
    net = net_of(text, [])
    shown = [frame(1, first + k * step).transpose(2, 0, 1) - np.reshape([1, 2, 3], (3, 1, 1)) for k in range(2)]
    assert np.array_equal(tops_of(net)[0], shown)


def test_frames_have_the_size_of_resize_param_and_end_in_words(films):
    text = layer("VideoData", "video_data_param { video_type: VIDEO video_file: 'clip0' } data_param { batch_size: 3 } "
                 "transform_param { resize_param { height: 3 width: 4 } }")  # fmt: skip
    net = net_of(text, [])
    assert tops_of(net)[0].shape == (3, 3, 3, 4)
    net.forward()
    with pytest.raises(
        CaffeError, match="at its end after 7 frames. Finished processing video: run no more than 2 passes"
    ):
        net.forward()


@pytest.mark.parametrize(
    ("settings", "line", "words"),
    [
        ("new_length: 2", "clip0 0 1", "Positive batch size required"),
        ("batch_size: 1", "clip0 0 1", "new length need to be positive"),
        ("batch_size: 1 new_length: 2 new_height: 4", "clip0 0 1", "to be set at the same time"),
        ("batch_size: 1 new_length: 2", "clip0 1", "expected `clip start label`"),
        ("batch_size: 1 new_length: 2 use_temporal_jitter: true", "clip0 0 1", "expected `film label`"),
        ("batch_size: 1 new_length: 2", "", "Not enough points"),
        ("batch_size: 1 new_length: 9", "clip0 0 1", "has 7 of the 9 frames from 0 on"),
        ("batch_size: 1 new_length: 9 use_temporal_jitter: true", "clip0 1", "does not have enough frames"),
        ("batch_size: 1 new_length: 2 use_image: true", "clip0 1 1", "Could not load .*000001.jpg"),
        ("batch_size: 1 new_length: 2", "other 0 1", "Failed to open video"),
        ("batch_size: 1 new_length: 2 num_segments: 3", "clip0 0 1", "num_segments: not implemented"),
    ],
)
def test_clips_that_cannot_be_read_are_refused_by_layer(films, settings, line, words):
    (films / "list.txt").write_text(f"{line}\n")
    with pytest.raises(CaffeError, match=words):
        reading(films, settings)


def test_without_opencv_the_error_says_what_to_install(films, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(CaffeError, match="pip install opencv-python-headless"):
        reading(films, "batch_size: 1 new_length: 2")


def test_frames_have_no_labels():
    with pytest.raises(CaffeError, match="frames have no labels"):
        net_of(layer("VideoData", "video_data_param { video_type: VIDEO }"), [], 2)
