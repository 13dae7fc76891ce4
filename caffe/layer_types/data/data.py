"""Data layers that read ahead: from a database, from image files, from windows of images."""

from collections.abc import Sequence

from caffe.blob import Blob
from caffe.data import random
from caffe.data.batch_sources import BatchSource, DatabaseSource, ImageListSource
from caffe.data.prefetch import MOST_AHEAD, Prefetcher
from caffe.data.transformer import DataTransformer
from caffe.data.windows import WindowSource
from caffe.errors import NetError, UsageError
from caffe.layer_types.base import layer_type
from caffe.layer_types.helpers.source_layer import SourceLayer, fill
from caffe.log import log
from caffe.shapes import Shape

_IN_TRANSFORM_PARAM = "read from transform_param; the upgrade of V1 nets moves it there"


class PrefetchingLayer(SourceLayer):
    """A layer whose batches a thread makes while the net computes (BasePrefetchingDataLayer)."""

    items: Sequence[str] = ()
    """What to call each image of the batch in the tops."""

    def open(self, transformer: DataTransformer) -> BatchSource:
        raise NotImplementedError

    def label_shape(self, source: BatchSource) -> Shape:
        return source.shape[:1]

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        transformer = DataTransformer(self.layer_param.transform_param, self.phase, str(self))
        transformer.start_random()
        source = self.open(transformer)
        top[0].reshape(*source.shape)
        log.info("output data size: %s", ",".join(map(str, source.shape)))
        if len(top) > 1:
            top[1].reshape(*self.label_shape(source))
        transformer.start_random()
        random.new_seed()  # real Caffe seeds its thread here: layers after this one draw what they draw there
        ahead = self.layer_param.data_param.prefetch
        if ahead > MOST_AHEAD:
            raise NetError(f"{self}: prefetch is {ahead:,} batches, expected at most {MOST_AHEAD:,}. Correct it.")
        self._batches = Prefetcher(source.batches(threads=ahead > 0), ahead)

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        if self._batches.lost:
            raise UsageError(
                f"{self}: its batches are made by a thread of process {self._batches.lost}, and this process, a fork "
                "of that one, has no such thread. Build the net in the child; or start the child by "
                "multiprocessing.get_context('spawn'); or set `prefetch: 0` in data_param, which needs no thread."
            )
        *arrays, self.items = self._batches.next()
        fill(top, arrays[: len(top)])


@layer_type
class Data(PrefetchingLayer):
    """Images and labels from a database of Datum messages: LMDB or LevelDB.

    top: data: batch_size × channels × height × width; optional labels: batch_size
    parameters: source, backend (LEVELDB unless said otherwise), batch_size, prefetch (batches
        read ahead; 0: no threads); transform_param
    source: src/caffe/layers/data_layer.cpp
    """

    tops = (1, 2)
    settings = ("data_param", "transform_param")
    ignored = {
        "data_param.rand_skip": "Caffe 1.0 does not read it",
        "data_param.force_encoded_color": "Caffe 1.0 does not read it: use force_color of transform_param",
        "data_param.scale": _IN_TRANSFORM_PARAM,
        "data_param.mean_file": _IN_TRANSFORM_PARAM,
        "data_param.crop_size": _IN_TRANSFORM_PARAM,
        "data_param.mirror": _IN_TRANSFORM_PARAM,
    }

    def open(self, transformer: DataTransformer) -> BatchSource:
        return DatabaseSource(self.layer_param.data_param, transformer)


@layer_type
class ImageData(PrefetchingLayer):
    """Images from files and labels from the text file that lists them.

    top: data: batch_size × channels × height × width; labels: batch_size
    parameters: source: a text file, `path label` a line; root_folder: put before each path; batch_size; new_height,
        new_width: resize to; is_color; shuffle; rand_skip: leave out up to so many at the start; transform_param
    source: src/caffe/layers/image_data_layer.cpp
    """

    tops = 2
    settings = ("image_data_param", "transform_param")
    ignored = {
        "image_data_param.scale": _IN_TRANSFORM_PARAM,
        "image_data_param.mean_file": _IN_TRANSFORM_PARAM,
        "image_data_param.crop_size": _IN_TRANSFORM_PARAM,
        "image_data_param.mirror": _IN_TRANSFORM_PARAM,
        "transform_param.force_color": "the layer reads image_data_param.is_color",
        "transform_param.force_gray": "the layer reads image_data_param.is_color",
    }

    def open(self, transformer: DataTransformer) -> BatchSource:
        return ImageListSource(self.layer_param.image_data_param, transformer)


@layer_type
class WindowData(PrefetchingLayer):
    """Windows of images warped to one size, part of them objects, part of them background, at random.

    top: data: batch_size × channels × crop_size × crop_size; labels: batch_size (0: background)
    parameters: source: a window file; root_folder; batch_size; fg_threshold, bg_threshold: overlap of an object, and of
        background; fg_fraction: objects in a batch; context_pad; crop_mode: warp or square; cache_images; scale;
        transform_param: crop_size, mirror, mean_file, mean_value
    source: src/caffe/layers/window_data_layer.cpp
    """

    tops = 2
    settings = ("window_data_param", "transform_param")
    ignored = {
        "window_data_param.mean_file": _IN_TRANSFORM_PARAM,
        "window_data_param.crop_size": _IN_TRANSFORM_PARAM,
        "window_data_param.mirror": _IN_TRANSFORM_PARAM,
        "transform_param.scale": "the layer reads window_data_param.scale",
        "transform_param.force_color": "windows are always in colour",
        "transform_param.force_gray": "windows are always in colour",
    }

    def open(self, transformer: DataTransformer) -> BatchSource:
        return WindowSource(self.layer_param.window_data_param, transformer)
