"""Detection: SSD's AnnotatedData, which reads images with boxes."""

from caffe.data.annotated.source import AnnotatedSource
from caffe.data.batch_sources import BatchSource
from caffe.data.transformer import DataTransformer
from caffe.errors import NetError
from caffe.layer_types.added import register_layer
from caffe.layer_types.data.data import PrefetchingLayer
from caffe.shapes import Shape

OF_YOLO = ("yolo_data_type", "train_diffcult", "yolo_data_jitter", "single_class", "seg_scales")


@register_layer
class AnnotatedData(PrefetchingLayer):
    """Images and their boxes from a database, with parts, colours and sizes at random.

    y[0] = scale · (image − mean), y[1] = image in the batch, class, instance, xmin, ymin, xmax, ymax, difficult: of
        each image in turn other colours (distort_param), a larger ground of the mean (expand_param), one of the parts
        that the samplers drew, the size of resize_param, a crop, mirrored; boxes are cut off at the border, and dropped
        where nothing of them is left, or by emit_constraint
    bottom: none
    top: data (N, C, H, W), if named boxes (1, 1, G, 8): one row of −1 for a batch without any; labels (N) of a database
        that has no boxes
    parameters: data_param: source, backend, batch_size, prefetch; annotated_data_param: batch_sampler { sampler,
        sample_constraint, max_sample, max_trials (100), use_original_image }, anno_type; transform_param: scale,
        mean_value, mean_file, crop_size, mirror, force_color, force_gray, resize_param { resize_mode (WARP,
        FIT_SMALL_SIZE, FIT_LARGE_SIZE_AND_PAD), height, width, interp_mode, pad_mode, pad_value }, distort_param,
        expand_param, emit_constraint
    restrictions: noise_param and a second resize_param are refused, as are height_scale and width_scale. label_map_file
        is not read. Images are not compressed again between the steps, where SSD makes them JPEG once more
    source: SSD: src/caffe/layers/annotated_data_layer.cpp; random draws are others
    """

    tops = (1, 2)
    settings = ("data_param", "annotated_data_param", "transform_param")

    def open(self, transformer: DataTransformer) -> BatchSource:
        param = self.layer_param.annotated_data_param
        others = [name for name in OF_YOLO if param.HasField(name)]
        if others:
            raise NetError(f"{self}: {', '.join(others)}: of YOLO's ports, and not implemented. Remove them.")
        return AnnotatedSource(self.layer_param, transformer)

    def label_shape(self, source: BatchSource) -> Shape:
        """Of the boxes, as far as the first image tells."""
        assert isinstance(source, AnnotatedSource)
        return source.label_shape
