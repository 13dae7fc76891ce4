"""Dense CRFs: the one that learns with its net (CRF as RNN), and the one that refines a net's scores (DeepLab)."""

from typing import Any

import torch

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import filler, register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image
from caffe.ops.dense_crf import CrfParameters, Kernel, check, image_filter
from caffe.ops.gaussian_filter import GaussianFilter
from caffe.ops.mean_field import mean_field, mixes_of, softmax

NORMALIZATION = "after"


@register_layer
class MultiStageMeanfield(TorchLayer):
    """Mean-field inference in a dense CRF over positions and colours, whose weights learn.

    x ← unary − M (W_s K_s softmax(x) + W_b K_b softmax(x)), num_iterations times, from x = start; K_s a Gaussian over
        positions (theta_gamma), K_b one over positions and colours (theta_alpha, theta_beta), each normalized per pixel
    bottom: unary and start (N, C, H, W), the same scores in the published net; image (N, channels, H, W), without a
        gradient
    top: scores like unary, not probabilities
    blobs: W_s, W_b, M (1, 1, C, C)
    parameters: num_iterations, theta_alpha, theta_beta, theta_gamma; W_s and W_b begin as spatial_filter_weight (1) and
        bilateral_filter_weight (1) times I, or with the numbers of spatial_filter_weights_str and
        bilateral_filter_weights_str, one for each class, on the diagonal; M begins as −I. compatibility_mode, threshold
        and force_cpu are read and change nothing, as there. The files spatial.par and bilateral.par are not read
    source: CRF as RNN (ICCV 2015), src/caffe/layers/multi_stage_meanfield.cpp
    """

    bottoms = 3
    tops = 1
    settings = "multi_stage_meanfield_param"
    no_gradient = (2,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        for name in ("theta_alpha", "theta_beta", "theta_gamma", "num_iterations"):
            if not getattr(param, name) > 0:
                raise NetError(f"{self}: {name} is {getattr(param, name):g}, expected a number above 0. Set it.")
        self.iterations = int(param.num_iterations)
        self.kernels = (Kernel(1, param.theta_gamma), Kernel(1, param.theta_alpha, param.theta_beta))
        check_image(self, bottom[0].shape)
        self.classes = bottom[0].shape[1]
        starts = (
            self._diagonal("spatial_filter_weight", param.spatial_filter_weights_str),
            self._diagonal("bilateral_filter_weight", param.bilateral_filter_weights_str),
            torch.full((self.classes,), -1.0),
        )
        for index, diagonal in enumerate(starts):
            there = index < len(self.blobs)
            self.add_param((1, 1, self.classes, self.classes), filler())
            if not there:
                self.blobs[index].data[...] = torch.diag(diagonal).numpy()

    def _diagonal(self, name: str, each: str) -> torch.Tensor:
        if not each:
            return torch.full((self.classes,), float(getattr(self.message, name)))
        try:
            values = [float(word) for word in each.split()]
        except ValueError as error:
            raise NetError(f"{self}: {name}s_str is {each!r}, expected numbers ({error}). Correct it.") from error
        if len(values) != self.classes:
            raise NetError(
                f"{self}: {name}s_str has {len(values)} numbers, expected one for each of {self.classes} classes."
                " Correct it."
            )
        return torch.tensor(values)

    def top_shapes(self, unary: Shape, start: Shape, image: Shape) -> list[Shape]:
        check_image(self, unary)
        if start != unary or len(image) != 4 or (image[0], *image[2:]) != (unary[0], *unary[2:]):
            raise ShapeError(
                f"{self}: bottoms are {unary}, {start} and {image}; expected two of one shape, and an image as large."
                " Correct the shapes."
            )
        if unary[1] != self.classes:
            raise ShapeError(
                f"{self}: bottom is {unary}, the parameters are for {self.classes} classes. Give it as many channels."
            )
        return [unary]

    def compute(self, unary: torch.Tensor, start: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        spatial, bilateral, compatibility = (each.reshape(self.classes, self.classes) for each in self.tensors)
        mixes = mixes_of(compatibility, (spatial, bilateral))
        found = []
        for scores, begin, pixels in zip(unary, start, image, strict=True):
            filters = _filters(self, self.kernels, pixels, scores)
            x = mean_field(_by_pixel(scores), filters, mixes, self.iterations, _by_pixel(begin))
            found.append(x.t().reshape(scores.shape))
        return torch.stack(found)


@register_layer
class DenseCRF(TorchLayer):
    """Refines scores by a dense CRF over positions and colours, whose weights are settings.

    Q = softmax(x) after max_iter times x ← unary + Σ_k w_k K_k softmax(x), from x = unary; each K_k normalized at every
        pixel
    bottom: scores (N, C, H, W); the height and width of each item's own part, upper left, (N, 2, …); and, where there
        are kernels over colours, the image (N, channels, H, W)
    top: Q like the scores, or log Q; 0 outside of an item's own part
    parameters: max_iter (10); pos_xy_std, pos_w, one for each kernel over positions; bi_xy_std, bi_rgb_std, bi_w, one
        for each kernel over positions and colours; output_probability (true)
    restrictions: backward is refused; in DeepLab's code it does nothing
    source: DeepLab v1 and v2, src/caffe/layers/densecrf_layer.cpp
    """

    bottoms = (2, 3)
    tops = 1
    settings = "dense_crf_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        groups: list[list[Any]] = [[param.pos_w, param.pos_xy_std], [param.bi_w, param.bi_xy_std, param.bi_rgb_std]]
        for names, values in zip(("pos_w, pos_xy_std", "bi_w, bi_xy_std, bi_rgb_std"), groups, strict=True):
            if len({len(each) for each in values}) > 1:
                raise NetError(f"{self}: {names} have {[len(each) for each in values]} numbers. Give as many of each.")
        if groups[1][0] and len(bottom) < 3:
            raise NetError(f"{self}: bi_w needs an image, and there are {len(bottom)} bottoms. Give a third one.")
        kernels = [Kernel(*each) for values in groups for each in zip(*values, strict=True)]
        self.crf = CrfParameters(tuple(kernels), int(param.max_iter), NORMALIZATION)
        try:
            check(self.crf)
        except ValueError as error:
            raise NetError(f"{self}: {error}.") from error
        self.logarithm = not param.output_probability

    def top_shapes(self, scores: Shape, sizes: Shape, *images: Shape) -> list[Shape]:
        check_image(self, scores)
        if sizes[0] != scores[0] or len(sizes) < 2 or max(sizes[1:]) != 2 or sum(sizes[1:]) != len(sizes):
            raise ShapeError(
                f"{self}: the sizes are {sizes}, expected a height and a width of {scores[0]} items. Correct the shape."
            )
        for image in images:
            if len(image) != 4 or (image[0], *image[2:]) != (scores[0], *scores[2:]):
                raise ShapeError(
                    f"{self}: bottoms are {scores} and {image}; expected an image as large as the scores."
                    " Resize the image."
                )
        return [scores]

    def compute(self, scores: torch.Tensor, sizes: torch.Tensor, *images: torch.Tensor) -> torch.Tensor:
        top = torch.zeros_like(scores)
        for item, (height, width) in enumerate(sizes.reshape(len(scores), 2).tolist()):
            if not (1 <= height <= scores.shape[2] and 1 <= width <= scores.shape[3]):
                raise ShapeError(
                    f"{self}: item {item} is said to be {height:g}×{width:g} in a map of {scores.shape[2:]}."
                    " Correct the sizes."
                )
            rows, columns = slice(int(height)), slice(int(width))
            own = scores[item, :, rows, columns]
            image = images[0][item, :, rows, columns] if images else None
            weights = [kernel.weight for kernel in self.crf.kernels]
            filters = _filters(self, self.crf.kernels, image, own)
            x = mean_field(_by_pixel(own), filters, weights, self.crf.iterations)
            q = x.log_softmax(1) if self.logarithm else softmax(x)
            top[item, :, rows, columns] = q.t().reshape(own.shape)
        return top


def _by_pixel(scores: torch.Tensor) -> torch.Tensor:
    """(C, H, W) to (H · W, C)."""
    return scores.reshape(len(scores), -1).t().contiguous()


def _filters(
    owner: TorchLayer, kernels: tuple[Kernel, ...], image: torch.Tensor | None, like: torch.Tensor
) -> list[GaussianFilter]:
    height, width = like.shape[1:]
    if image is not None and not bool(image.isfinite().all()):
        raise NetError(
            f"{owner}: the image has values that are not finite; expected colours. Look for the layer it comes from."
        )
    return [image_filter(height, width, kernel, NORMALIZATION, image, like) for kernel in kernels]
