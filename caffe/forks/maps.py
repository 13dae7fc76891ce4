"""Maps: mirrored (caffe-windows), multiplied by a mask (MNC), and cropped by coordinates (RCF)."""

import torch

from caffe.errors import ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image
from caffe.layer_types.vision.crop import Crop


@register_layer
class Flip(TorchLayer):
    """Mirrors maps, as face embeddings do that add a face's mirror image.

    y[h, w] = x[h, W − 1 − w], x[H − 1 − h, w], or both
    bottom: (N, C, H, W)
    top: like the bottom
    parameters: flip_width (true), flip_height (false)
    source: caffe-windows: src/caffe/layers/flip_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "flip_param"

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        return [x]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        given = self.message
        axes = [axis for axis, wanted in ((3, given.flip_width), (2, given.flip_height)) if wanted]
        return x.flip(axes)


@register_layer
class MaskPooling(TorchLayer):
    """Multiplies maps by a mask.

    y[c] = x[c] · mask[0]
    bottom: (N, C, H, W), the mask (N, 1, H, W)
    top: like the first bottom
    source: Multi-task Network Cascades: src/caffe/layers/mask_pooling_layer.cu
    """

    bottoms = 2
    tops = 1

    def top_shapes(self, x: Shape, mask: Shape) -> list[Shape]:
        check_image(self, x)
        if mask != (x[0], 1, *x[2:]):
            raise ShapeError(
                f"{self}: bottoms are {x} and {mask}; expected a mask of one channel, of the first one's items, height "
                "and width: feature map height and mask height must be the same."
                " Resize the mask."
            )
        return [x]

    def compute(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x * mask


@register_layer
class AutoCrop(Crop):
    """Lays one map over another by their coordinates, and cuts it to the other's height and width.

    y[i, j] = x[i + offset, j + offset], of the offsets that put each pixel where it comes from
    bottom: x, and a map of which only the height and width count
    top: like x, as high and wide as the second bottom
    parameters: crop_param offset: instead of the coordinates'
    source: RCF: src/caffe/layers/auto_crop_layer.cpp
    """
