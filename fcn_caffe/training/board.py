"""Records a training for TensorBoard: loss and rate of every iteration, mean IU and pictures of every scoring."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from fcn_caffe.training.score_history import quality, quality_name

PICTURES = 4


class Board:
    """Writes the event file of one training.

    folder: where it goes; first: the iteration that the training begins with: what was written of later ones before is
    hidden. Raises RuntimeError where the package tensorboard is missing.
    """

    def __init__(self, folder: Path, first: int):
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            raise RuntimeError(
                "--tensorboard: the package tensorboard is missing: pip install 'fcn-caffe[tensorboard]'"
            ) from error
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventFileWriter(str(folder))
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._writer.add_event(self._event(wall_time=time.time(), step=first, session_log=start))

    def iteration(self, number: int, loss: float, rate: float | None) -> None:
        """loss: of a labelled pixel, all heads together."""
        known = {} if rate is None else {"rate": rate}
        self._add(number, [self._scalar(tag, value) for tag, value in {"loss per pixel": loss, **known}.items()])

    def scoring(self, number: int, entry: dict[str, Any], pictures: Sequence[tuple[str, Image.Image]]) -> None:
        """entry: of scores.json. pictures: each with the name of its image."""
        measure = quality_name([entry])
        values = [
            self._scalar(f"{measure}/{label}" if len(entry) > 2 else measure, quality(scores))
            for label, scores in entry.items()
            if label != "iteration"
        ]
        self._add(number, [*values, *(self._picture(name, picture) for name, picture in pictures)])
        self._writer.flush()

    def close(self) -> None:
        """Write what is waiting."""
        self._writer.close()

    def _add(self, number: int, values: list[Any]) -> None:
        self._writer.add_event(self._event(wall_time=time.time(), step=number, summary=self._summary(value=values)))

    def _scalar(self, tag: str, value: float) -> Any:
        return self._summary.Value(tag=tag, simple_value=value)

    def _picture(self, name: str, picture: Image.Image) -> Any:
        content = io.BytesIO()
        picture.save(content, "PNG")
        image = self._summary.Image(
            height=picture.height, width=picture.width, colorspace=3, encoded_image_string=content.getvalue()
        )
        return self._summary.Value(tag=f"image, truth, prediction/{name}", image=image)
