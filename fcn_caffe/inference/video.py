"""Videos and cameras, read and written by ffmpeg in a process of its own. Needs the package imageio-ffmpeg."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
from PIL import Image

ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts")
_CAMERA = re.compile(r"camera:(\d{1,3})")
CAMERA_FORMAT, CAMERA_PATH = "v4l2", "/dev/video{}"
"""ffmpeg's names of cameras under Linux."""
MOST_PIXELS = 1 << 26
EVEN = 2
"""The sides of a video in this encoding are multiples of this number."""


def is_camera(word: str) -> bool:
    """Whether an argument names a camera: camera:0 is the first."""
    return _CAMERA.fullmatch(word) is not None


def is_video(path: str) -> bool:
    """Whether a path names a video, as its ending says, or a camera."""
    return is_camera(path) or path.lower().endswith(ENDINGS)


class Footage:
    """The frames of a video: height×width×3, uint8, RGB.

    rate: frames a second. frames: how many there are, as far as the file says; 0: nobody knows.
    """

    def __init__(self, frames: Iterator[Any], about: dict[str, Any], most: Optional[int]):
        self._frames, self._most = frames, most
        self.width, self.height = about["size"]
        self.rate = float(about["fps"]) or 25.0
        duration = float(about.get("duration") or 0)
        known = round(duration * self.rate) if np.isfinite(duration) else 0
        self.frames = min(known, most) if known and most else (most or known)

    def __iter__(self) -> Iterator[np.ndarray]:
        for number, content in enumerate(self._frames, start=1):
            yield np.frombuffer(content, np.uint8).reshape(self.height, self.width, 3)
            if number == self._most:
                return


@contextlib.contextmanager
def reading(path: str, most: Optional[int] = None) -> Iterator[Footage]:
    """The frames of a video or camera, at most `most`. Raises FileNotFoundError, and RuntimeError for what is no video
    that ffmpeg reads."""
    ffmpeg = _ffmpeg(path)
    camera = _CAMERA.fullmatch(path)
    file, options = f"file:{os.path.abspath(path)}", ["-protocol_whitelist", "file"]
    if camera:
        file, options = CAMERA_PATH.format(camera[1]), ["-f", CAMERA_FORMAT]
    elif not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file '{os.path.abspath(path)}'. Put it there, or correct its name.")
    frames = ffmpeg.read_frames(file, pix_fmt="rgb24", input_params=options)
    try:
        yield _source(frames, path, most)
    finally:
        frames.close()


def _source(frames: Iterator[Any], path: str, most: Optional[int]) -> Footage:
    try:
        source = Footage(frames, next(frames), most)
        if not 0 < source.width * source.height <= MOST_PIXELS:
            raise RuntimeError(f"the frames are {source.width}×{source.height}")
        return source
    except (OSError, StopIteration, KeyError, TypeError, RuntimeError, ValueError) as error:
        what = "camera that can be used" if is_camera(path) else "video that ffmpeg reads"
        raise RuntimeError(
            f"'{path}' is no {what} ({_last_line(error)}). Try it with ffmpeg, or convert it."
        ) from error


@contextlib.contextmanager
def writing(path: Path, rate: float) -> Iterator[Callable[[Image.Image], None]]:
    """Gives a function to call with each frame of a video in H.264, which takes its name once it is whole."""
    ffmpeg = _ffmpeg(str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    writers: list[Any] = []

    def write(frame: Image.Image) -> None:
        if not writers:
            writers.append(ffmpeg.write_frames(str(part), _even(frame).size, fps=rate, macro_block_size=EVEN))
            writers[0].send(None)
        writers[0].send(_even(frame).tobytes())

    try:
        try:
            yield write
        finally:
            for writer in writers:
                writer.close()
        if part.exists():
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _even(frame: Image.Image) -> Image.Image:
    """The frame, its last row and column doubled where their number is odd."""
    missing = [(0, -side % EVEN) for side in (frame.height, frame.width)]
    return Image.fromarray(np.pad(np.asarray(frame), (*missing, (0, 0)), mode="edge"))


def _ffmpeg(path: str) -> Any:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise RuntimeError(
            f"'{path}' is a video, which needs the package imageio-ffmpeg: pip install 'fcn-caffe[video]'"
        ) from error
    return imageio_ffmpeg


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
