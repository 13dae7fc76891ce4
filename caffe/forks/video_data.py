"""Video: frames of a film or a camera (SSD), clips that a text file lists (C3D)."""

import re
from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from typing import Any

import numpy as np

from caffe.blob import Blob
from caffe.data import images, lists
from caffe.data.annotated import resizing
from caffe.data.batch_sources import check_batch_size
from caffe.data.random import Random, new_seed
from caffe.data.transformer import DataTransformer
from caffe.errors import DataError, NetError
from caffe.formats import binaryproto
from caffe.layer_types.added import register_layer
from caffe.layer_types.helpers.source_layer import SourceLayer, fill
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

VideoClip = tuple[str, int, int]
"""File or folder, first frame (or, where it is drawn, how many there are), label."""
FROM_FRAMES = "%06d.jpg"


@register_layer
class VideoData(SourceLayer):
    """Frames of a film or a camera, one after the other (SSD), or clips that a text file lists (C3D).

    y[0] = scale · (frame − mean) of SSD's; of C3D's, frames start, start + sampling_rate, … of each clip: all of a clip
        cropped and mirrored alike; y[1] = the clip's label
    bottom: none
    top: SSD's: data (N, C, H, W); C3D's: clips (N, 3, new_length, H, W), if named labels (N)
    parameters: video_data_param of SSD: video_type (WEBCAM: device_id; VIDEO: video_file), skip_frames (left out before
        each), with data_param batch_size and transform_param resize_param. Of C3D, which is meant by `source`
        (`clip start label` a line), in video_data_param or, of 1.0, in image_data_param: batch_size, new_length,
        new_height, new_width, sampling_rate (1), shuffle, rand_skip, root_folder, use_image (clips are folders with
        000001.jpg, …, else films), use_temporal_jitter (the start is drawn: of folders, the line says how many frames
        there are; of films, it has no start); transform_param scale, mirror, crop_size, mean_value, mean_file
    restrictions: films and cameras need OpenCV (pip install opencv-python-headless). A clip that cannot be read is an
        error, which C3D leaves out in TRAIN; num_segments and modality are refused
    source: SSD: src/caffe/layers/video_data_layer.cpp; C3D: src/caffe/layers/video_data_layer.cpp; random draws are
        others
    """

    tops = (1, 2)
    settings = ("video_data_param", "image_data_param", "data_param", "transform_param")

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        video, old = self.layer_param.video_data_param, self.layer_param.image_data_param
        others = [name for name in ("num_segments", "modality") if video.HasField(name)]
        if others or len(self.layer_param.transform_param.resize_param) > 1:
            raise NetError(f"{self}: {', '.join(others) or 'a second resize_param'}: not implemented. Remove it.")
        if video.source or old.source:
            param = video if video.source else old
            self._batches = _Clips(param, self.layer_param.transform_param, self.phase, str(self)).batches()
        elif len(top) > 1:
            raise NetError(f"{self}: frames have no labels, and 2 tops are named. Name one, or give C3D's `source`.")
        else:
            self._batches = _Frames(self.layer_param, self.phase, str(self)).batches()
        self._first: list[np.ndarray] | None = next(self._batches)
        for blob, values in zip(top, self._first, strict=False):
            blob.reshape(*values.shape)

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        arrays, self._first = self._first or next(self._batches), None
        fill(top, arrays[: len(top)])


class _Frames:
    """Of a film or a camera, for SSD."""

    def __init__(self, layer_param: Any, phase: int, owner: str):
        self.param, self.owner = layer_param.video_data_param, owner
        self.transformer = DataTransformer(layer_param.transform_param, phase, owner)
        self.transformer.start_random()
        self.resize = list(layer_param.transform_param.resize_param)
        if self.resize:
            resizing.check(self.resize[0], 3, owner)
        self.batch_size = check_batch_size(layer_param.data_param.batch_size, owner)
        self.draw = Random(new_seed())

    def batches(self) -> Iterator[list[np.ndarray]]:
        film = self.param.video_type == caffe_pb2.VideoDataParameter.VIDEO
        source = self.param.video_file if film else self.param.device_id
        frames = read_frames(source, self.owner, skip=self.param.skip_frames)
        count = 0
        while True:
            batch = []
            for frame in frames:
                image = resizing.resized(frame, self.resize[0], self.draw) if self.resize else frame
                batch.append(self.transformer.apply(image.transpose(2, 0, 1), f"frame {count + 1}"))
                count += 1
                if len(batch) == self.batch_size:
                    break
            else:
                raise DataError(
                    f"{self.owner}: '{source}' is at its end after {count:,} frames. Finished processing video: run "
                    f"no more than {count // self.batch_size:,} passes."
                )
            yield [np.stack(batch)]


class _Clips:
    """Those of a text file, for C3D."""

    def __init__(self, param: Any, transform: Any, phase: int, owner: str):
        self.param, self.owner = param, owner
        self.mean_file, self.mean = transform.mean_file, self._mean(transform)
        without_mean = caffe_pb2.TransformationParameter()
        without_mean.CopyFrom(transform)
        for name in ("mean_file", "mean_value"):
            without_mean.ClearField(name)
        self.transformer = DataTransformer(without_mean, phase, owner)
        self.transformer.start_random()
        self.train = phase == caffe_pb2.TRAIN
        self.batch_size, self.length = check_batch_size(param.batch_size, owner), param.new_length
        self.rate = max(getattr(param, "sampling_rate", 1), 1)
        if not self.length or bool(param.new_height) != bool(param.new_width):
            raise NetError(
                f"{owner}: new_length is {param.new_length}, new_height {param.new_height}, new_width "
                f"{param.new_width}. new length need to be positive, and new_height and new_width to be set at the "
                "same time."
                " Correct them."
            )
        self.clips = [
            self._clip(line, f"{param.source}:{number}")
            for number, line in lists.read_lines(param.source, f"{owner}: Failed to open {param.source}")
        ]
        skip = new_seed() % param.rand_skip if getattr(param, "rand_skip", 0) else 0
        if skip >= len(self.clips):
            raise DataError(
                f"{owner}: '{param.source}' has {len(self.clips)} clips, {skip} are skipped: Not enough points to "
                "skip. Lower rand_skip, or add clips."
            )
        self.draw = Random(new_seed())
        if param.shuffle:
            self.draw.shuffle(self.clips)
        self.skip = skip

    def _mean(self, transform: Any) -> np.ndarray | None:
        """(3, length, height, width) of a file that C3D's tools made, or a number for each channel."""
        values = list(transform.mean_value)
        if len(values) not in (0, 1, 3) or (values and transform.mean_file):
            raise NetError(
                f"{self.owner}: {len(values)} mean_values, mean_file '{transform.mean_file}'; expected a file, or 1 or "
                "3 values. Remove the others."
            )
        if values:
            return np.broadcast_to(np.array(values, np.float32), 3).reshape(3, 1, 1, 1)
        if not transform.mean_file:
            return None
        mean = binaryproto.read(transform.mean_file)
        return mean.reshape(mean.shape[-4:])

    def _clip(self, line: str, place: str) -> VideoClip:
        words = line.split()
        drawn = self.param.use_temporal_jitter and not self.param.use_image
        if len(words) != (2 if drawn else 3) or not all(re.fullmatch(r"-?\d+", word) for word in words[1:]):
            wanted = "`film label`" if drawn else "`clip start label`"
            raise DataError(f"{place}: '{line.strip()}' found, expected {wanted}. Correct the list.")
        return self.param.root_folder + words[0], int(words[1]) if len(words) > 2 else 0, int(words[-1])

    def _forever(self) -> Iterator[VideoClip]:
        clips = self.clips[self.skip :]
        while True:
            yield from clips
            if self.param.shuffle:
                self.draw.shuffle(self.clips)
            clips = self.clips

    def _start(self, clip: VideoClip, count: int) -> int:
        """The first frame, if the clip's is to be drawn, from frame 0 or 1 on, of so many."""
        if count < self.length * self.rate:
            raise DataError(
                f"{self.owner}: '{clip[0]}' has {count} frames, expected {self.length * self.rate}: does not have "
                "enough frames. Leave it out of the list."
            )
        return self.draw.below(count - self.length * self.rate + 1) if self.train else 0

    def frames(self, clip: VideoClip) -> np.ndarray:
        """(length, height, width, 3)"""
        path, start, _ = clip
        jitter, size = self.param.use_temporal_jitter, (self.param.new_height, self.param.new_width)
        if self.param.use_image:
            start = self._start(clip, start) + 1 if jitter else start
            numbers = range(start, start + self.length * self.rate, self.rate)
            found = [images.read(f"{path}/{FROM_FRAMES % number}") for number in numbers]
        else:
            frames = read_frames(path, self.owner)
            if jitter:
                every = list(frames)
                start, frames = self._start(clip, len(every)), iter(every)
            found = list(islice(frames, start, start + self.length * self.rate, self.rate))
            if len(found) < self.length:
                raise DataError(
                    f"{self.owner}: '{path}' has {len(found)} of the {self.length} frames from {start} on. Correct the "
                    "list."
                )
        if size[0]:
            found = [images.resize(image, *size) for image in found]
        return np.stack(found)

    def transformed(self, frames: np.ndarray, name: str) -> np.ndarray:
        """(3, length, h, w): less the mean, all cropped and mirrored alike."""
        values = frames.transpose(3, 0, 1, 2).astype(np.float32)
        if self.mean is not None:
            if self.mean_file and self.mean.shape != values.shape:
                raise DataError(
                    f"{self.owner}: {name} is {shape_text(values.shape)}, the mean in '{self.mean_file}' "
                    f"{shape_text(self.mean.shape)} (channels×length×height×width). Make them equal."
                )
            values -= self.mean
        made = self.transformer.apply(values.reshape(-1, *values.shape[2:]), name)
        return made.reshape(*values.shape[:2], *made.shape[1:])

    def batches(self) -> Iterator[list[np.ndarray]]:
        clips = self._forever()
        while True:
            chosen = [next(clips) for _ in range(self.batch_size)]
            data = [self.transformed(self.frames(clip), f"'{clip[0]}'") for clip in chosen]
            if any(each.shape != data[0].shape for each in data):
                raise DataError(f"{self.owner}: clips of one batch have several sizes. Give new_height and new_width.")
            yield [np.stack(data), np.array([label for *_, label in chosen], np.float32)]


def read_frames(source: str | int, owner: str, *, skip: int = 0) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) BGR of a film (a path) or a camera (a number), `skip` left out before each.

    Raises DataError without OpenCV, and for what it cannot open.
    """
    try:
        cv2 = import_module("cv2")
    except ImportError as error:
        raise DataError(
            f"{owner}: '{source}': films and cameras are read by OpenCV, which is not installed. Install it: pip "
            "install opencv-python-headless. Or make pictures of the frames, and set use_image."
        ) from error
    capture = cv2.VideoCapture(source)
    if not capture.isOpened():
        raise DataError(f"{owner}: Failed to open video: {source}. Correct video_file, device_id or the list.")
    try:
        while True:
            for _ in range(skip):
                capture.grab()
            there, frame = capture.read()
            if not there:
                return
            yield frame
    finally:
        capture.release()
