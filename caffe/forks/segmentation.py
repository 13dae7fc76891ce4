"""Segmentation: DeepLab's and PSPNet's resizing, the BN of PSPNet and of SegNet, SegNet's Upsample."""

from typing import Any

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import LabelError, NetError, ShapeError
from caffe.layer_types.added import filler, register_layer
from caffe.layer_types.base import Rows, Shape, TorchLayer, rows
from caffe.layer_types.helpers.spatial import check_image
from caffe.proto import caffe_pb2

SEGNET_EPS = 1e-9


@register_layer
class Interp(TorchLayer):
    """Resizes maps, bilinearly, corners upon corners.

    y[p] = bilinear x[p · (H_in − 1) / (H_out − 1)]
    bottom: (N, C, H, W), and a second one whose size is taken where the settings say none
    top: (N, C, height, width); else by zoom_factor z: H + (H − 1)(z − 1); by shrink_factor s: (H − 1) div s + 1; by
        both: shrunk, then zoomed
    parameters: height, width, zoom_factor, shrink_factor, pad_beg and pad_end (0 or less: so many rows and columns are
        cut off first)
    source: DeepLab v2, PSPNet: src/caffe/layers/interp_layer.cpp
    """

    bottoms = (1, 2)
    tops = 1
    settings = "interp_param"
    constant = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.given = param
        self.cut = (-param.pad_beg, -param.pad_end)
        if min(self.cut) < 0:
            raise NetError(
                f"{self}: pad_beg is {param.pad_beg}, pad_end {param.pad_end}. Only supports non-pos padding for now: "
                "set them to 0 or less."
            )
        if min(param.zoom_factor, param.shrink_factor) < 1:
            raise NetError(f"{self}: zoom_factor and shrink_factor must be positive. Correct them.")

    def size(self, inner: tuple[int, int], other: Shape | None) -> tuple[int, int]:
        """Height and width of the top, from those of the bottom without what is cut off."""
        param = self.given
        zooms, shrinks = param.HasField("zoom_factor"), param.HasField("shrink_factor")
        if param.HasField("height") and param.HasField("width") and not zooms and not shrinks:
            return param.height, param.width
        if not zooms and not shrinks:
            if other is None:
                raise NetError(
                    f"{self}: no size is given. Set height and width, zoom_factor or shrink_factor, or give a second "
                    "bottom of the size."
                )
            return other[2], other[3]
        sizes = []
        for size in inner:
            shrunk = (size - 1) // param.shrink_factor + 1 if shrinks else size
            sizes.append(shrunk + (shrunk - 1) * (param.zoom_factor - 1) if zooms else shrunk)
        return sizes[0], sizes[1]

    def top_shapes(self, x: Shape, other: Shape | None = None) -> list[Shape]:
        for shape in (x, other or x):
            check_image(self, shape)
        inner = (x[2] - sum(self.cut), x[3] - sum(self.cut))
        height, width = self.size(inner, other)
        if min(*inner, height, width) < 1:
            raise ShapeError(
                f"{self}: bottom is {x}, the top would be {height} × {width}; both should be positive."
                " Correct the settings, or give a larger bottom."
            )
        self.sizes = (height, width)
        return [(*x[:2], height, width)]

    def rows(self, *bottoms: Shape) -> Rows | None:
        self._resized = rows.Resized(bottoms[0][2] - sum(self.cut), self.sizes[0], self.cut[0])
        return self._resized

    def forward_band(self, bottom: list[Blob], top: list[Blob], first: int, last: int) -> None:
        """Columns first, then each row between two: what `compute` makes of the whole map."""
        resized, (begin, end) = self._resized, self.cut
        x = bottom[0].tensor[:, :, :, begin : bottom[0].shape[3] - end]
        x = F.interpolate(x, size=(x.shape[2], self.sizes[1]), mode="bilinear", align_corners=True)
        at = torch.tensor([resized.source(row) for row in range(first, last)], dtype=x.dtype, device=x.device)
        above = at.long().clamp(max=resized.inner - 1)
        below, start = (above + 1).clamp(max=resized.inner - 1), above[0].clone()
        values = torch.lerp(x[:, :, above - start], x[:, :, below - start], (at - above)[:, None])
        top[0].reshape(*values.shape)
        top[0].tensor = values

    def compute(self, x: torch.Tensor, *other: torch.Tensor) -> torch.Tensor:
        begin, end = self.cut
        x = x[:, :, begin : x.shape[2] - end, begin : x.shape[3] - end]
        return F.interpolate(x, size=self.sizes, mode="bilinear", align_corners=True)


@register_layer
class Upsample(TorchLayer):
    """Puts the maxima of a pooling back where they were; with one bottom repeats every value.

    y[mask] = x, 0 elsewhere (SegNet, ENet: two bottoms); y[p] = x[p div scale] (YOLO's ports: one bottom)
    bottom: (N, C, H, W), and the second top of a Pooling MAX, which says where its maxima lay
    top: (N, C, upsample_h, upsample_w), or (N, C, H · scale_h − pad_out_h, W · scale_w − pad_out_w)
    parameters: scale (2), or scale_h and scale_w; pad_out_h, pad_out_w; upsample_h, upsample_w
    source: SegNet: src/caffe/layers/upsample_layer.cpp
    """

    bottoms = (1, 2)
    tops = 1
    settings = "upsample_param"
    constant = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.scales = tuple(
            getattr(param, name) if param.HasField(name) else param.scale for name in ("scale_h", "scale_w")
        )
        self.less = (int(param.pad_out_h), int(param.pad_out_w))
        self.wanted = None
        if param.HasField("upsample_h") or param.HasField("upsample_w"):
            self.wanted = (param.upsample_h, param.upsample_w)
        if len(bottom) == 1 and (self.wanted or any(self.less)):
            raise NetError(
                f"{self}: upsample_h, upsample_w and pad_out are of SegNet's layer, which has a mask as second bottom; "
                "this one has a bottom alone, as YOLO's ports have it. Give the mask, or scale alone."
            )
        if min(self.scales) < 1 or (self.wanted and min(self.wanted) < 1):
            raise NetError(
                f"{self}: scale is {self.scales}, size {self.wanted}; expected at least 1 each. Correct them."
            )

    def top_shapes(self, x: Shape, mask: Shape | None = None) -> list[Shape]:
        check_image(self, x)
        if mask is None:
            return [(*x[:2], x[2] * self.scales[0], x[3] * self.scales[1])]
        if mask != x:
            raise ShapeError(
                f"{self}: bottoms are {x} and {mask}; expected a mask of the first one's shape. Correct the shapes."
            )
        height, width = self.wanted or tuple(
            size * scale - less for size, scale, less in zip(x[2:], self.scales, self.less, strict=True)
        )
        self.sizes = (height, width)
        return [(*x[:2], height, width)]

    def rows(self, *bottoms: Shape) -> Rows | None:
        return rows.Repeated(self.scales[0]) if len(bottoms) == 1 else None

    def compute(self, x: torch.Tensor, *masks: torch.Tensor) -> torch.Tensor:
        if not masks:
            return x.repeat_interleave(self.scales[0], dim=2).repeat_interleave(self.scales[1], dim=3)
        height, width = self.sizes
        where = masks[0].detach().long().flatten(start_dim=2)
        if where.numel() and (int(where.min()) < 0 or int(where.max()) >= height * width):
            raise ShapeError(
                f"{self}: the mask has {int(where.min())} … {int(where.max())}, a map of {height} × {width} has pixels "
                f"0 … {height * width - 1}. Upsample top index out of range: correct upsample_h and upsample_w."
            )
        flat = torch.zeros(*x.shape[:2], height * width, dtype=x.dtype, device=x.device)
        return flat.scatter(2, where, x.flatten(start_dim=2)).reshape(*x.shape[:2], height, width)


@register_layer
class BN(TorchLayer):
    """Batch normalisation with scale and shift, of PSPNet and ICNet (four blobs) or of SegNet and ENet (two).

    y = slope · (x − mean) / √(variance + eps) + bias: the batch's mean and variance in TRAIN unless frozen, else the
        running ones (PSPNet)
    y = scale · (x − mean) / √(variance + 1e-9) + shift, by the batch in TEST too; with bn_mode INFERENCE
        y = scale · x + shift (SegNet)
    bottom: (N, C, H, W)
    top: like the bottom
    blobs: slope, bias, mean, variance, or scale, shift; (1, C, 1, 1) each
    parameters: slope_filler, bias_filler, momentum (0.9), eps (1e-5), frozen; or scale_filler, shift_filler, bn_mode
        (LEARN, INFERENCE). Which it is those fields tell, or icnet (Synopsys'); if there are none, four `param`s are
        PSPNet's
    source: PSPNet and SegNet: src/caffe/layers/bn_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "bn_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        given = {field.name for field, _ in param.ListFields()} - {"engine"}
        parsenets = given & {"var_eps", "moving_average", "decay", "across_spatial"}
        pspnets = given & {"slope_filler", "bias_filler", "momentum", "eps", "frozen", "icnet" if param.icnet else ""}
        segnets = given & {"scale_filler", "shift_filler", "bn_mode"}
        if parsenets:
            raise NetError(f"{self}: {', '.join(sorted(parsenets))}: ParseNet's BN is not implemented. Use another.")
        if pspnets and segnets:
            raise NetError(
                f"{self}: {', '.join(sorted(pspnets))} are of PSPNet's BN, {', '.join(sorted(segnets))} of SegNet's. "
                "Keep those of one."
            )
        check_image(self, bottom[0].shape)
        if param.eps < 0:
            raise NetError(f"{self}: eps is {param.eps:g}, expected 0 or more. Correct it.")
        self.keeps_statistics = bool(pspnets) or (not segnets and len(self.layer_param.param) == 4)
        self.folded = not self.keeps_statistics and param.bn_mode == caffe_pb2.BNParameter.INFERENCE
        self.eps = param.eps if self.keeps_statistics else SEGNET_EPS
        self.momentum = param.momentum
        self.by_batch = not self.keeps_statistics or (self.phase == caffe_pb2.TRAIN and not param.frozen)
        self.channels = bottom[0].shape[1]
        names = ("slope_filler", "bias_filler") if self.keeps_statistics else ("scale_filler", "shift_filler")
        fillers: list[Any] = [
            getattr(param, name) if param.HasField(name) else filler(value=default)
            for name, default in zip(names, (1, 0), strict=True)
        ]
        if self.keeps_statistics:
            fillers += [filler(value=0), filler(value=1)]
            self._keep_solver_off(frozen=param.frozen)
        for each in fillers:
            self.add_param((1, self.channels, 1, 1), each)

    def _keep_solver_off(self, *, frozen: bool) -> None:
        specs = self.layer_param.param
        for _ in range(len(specs), 4):
            specs.add()
        for spec in specs[0 if frozen else 2 :]:
            spec.lr_mult = spec.decay_mult = 0

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        if x[1] != self.channels:
            raise ShapeError(
                f"{self}: bottom is {x}, the parameters have {self.channels} channels. Give it as many channels."
            )
        return [x]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        if self.keeps_statistics and self.by_batch:
            variance, mean = torch.var_mean(bottom[0].tensor.float(), dim=(0, 2, 3), correction=0, keepdim=True)
            for blob, value in zip(self.blobs[2:], (mean, variance), strict=True):
                blob.tensor.mul_(self.momentum).add_(value, alpha=1 - self.momentum)
        super().forward(bottom, top)

    def rows(self, *bottoms: Shape) -> Rows | None:
        return None if self.by_batch and not self.folded else Rows()

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        scale, shift = self.tensors[:2]
        if self.folded:
            return scale * x + shift
        if self.by_batch:
            variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
        else:
            mean, variance = (each.detach() for each in self.tensors[2:])
        return scale * ((x - mean) * (variance + self.eps).rsqrt()) + shift


@register_layer
class SegAccuracy(TorchLayer):
    """How well scores tell the classes of pixels: pixel accuracy, mean recall and mean intersection over union.

    y = Σ n_ii / Σ n, mean of n_ii / Σ_j n_ij over the classes that labels have, mean of n_ii / (Σ_j n_ij + Σ_j n_ji −
        n_ii) over all classes (1 for a class that neither has); n counts pixels by label and largest score
    bottom: scores (N, C, H, W; with one channel: above 0.5 is class 1), labels (N, 1, H, W)
    top: (1, 1, 1, 3); further ones: precision, recall and intersection over union of each output_label
    parameters: ignore_label (several), output_label, reset (true: counted anew in each pass); metric changes nothing
    source: DeepLab, PSPNet: src/caffe/layers/seg_accuracy_layer.cpp; it has no gradient
    """

    bottoms = 2
    tops = (1, None)
    settings = "seg_accuracy_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        check_image(self, bottom[0].shape)
        self.classes = max(bottom[0].shape[1], 2)
        self.labels_shown = list(param.output_label)
        if len(top) != len(self.labels_shown) + 1 or any(not 0 <= label < self.classes for label in self.labels_shown):
            raise NetError(
                f"{self}: {len(top)} tops, output_label {self.labels_shown}; expected one top more than labels."
                " Correct the tops."
            )
        self.counts = torch.zeros(self.classes, self.classes, dtype=torch.float64)

    def top_shapes(self, scores: Shape, labels: Shape) -> list[Shape]:
        check_image(self, scores)
        if labels != (scores[0], 1, *scores[2:]):
            raise ShapeError(
                f"{self}: bottoms are {scores} and {labels}; the data should have the same size as label."
                " Correct the shapes."
            )
        return [(1, 1, 1, 3)] * (len(self.labels_shown) + 1)

    def compute(self, scores: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        truth = labels.detach()[:, 0].long().cpu()
        found = scores.detach()[:, 0] > 0.5 if scores.shape[1] == 1 else scores.detach().argmax(1)
        counted = torch.ones_like(truth, dtype=torch.bool)
        for label in self.message.ignore_label:
            counted &= truth != label
        truth, found = truth[counted], found.long().cpu()[counted]
        if truth.numel() and not 0 <= int(truth.min()) <= int(truth.max()) < self.classes:
            raise LabelError(
                f"{self}: labels {int(truth.min())} … {int(truth.max())} found. Unexpected label: expected 0 … "
                f"{self.classes - 1}, or an ignore_label. Correct the labels.",
                self.layer_param.bottom[1],
                [],
                layer=self.name,
            )
        counts = torch.bincount(truth * self.classes + found, minlength=self.classes**2).double()
        before = 0 if self.message.reset else self.counts
        self.counts = before + counts.reshape(self.classes, self.classes)
        return [torch.tensor(row, dtype=torch.float32).reshape(1, 1, 1, 3).to(scores.device) for row in self.measures()]

    def measures(self) -> list[list[float]]:
        """The three numbers of all classes, and of each class that is shown."""
        right, rows, columns = self.counts.diagonal(), self.counts.sum(1), self.counts.sum(0)
        union = rows + columns - right
        shares = torch.where(union > 0, right / union.clamp(min=1), 1.0)
        recalls = right / rows.clamp(min=1)
        seen = rows > 0
        overall = float(right.sum() / self.counts.sum().clamp(min=1))
        mean = float(recalls[seen].mean()) if bool(seen.any()) else 0.0
        precisions = right / columns
        each = [[float(precisions[k]), float(right[k] / rows[k]), float(shares[k])] for k in self.labels_shown]
        return [[overall, mean, float(shares.mean())], *each]
