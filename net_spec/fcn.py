"""Makes a segmentation net of a trunk: scores, their upsampling, and the skips that refine them.

FCN-32s scores the coarsest feature map of the trunk and upsamples to the image at once. A skip upsamples to the stride
of a finer map instead, adds that map's own scores, and goes on from there: one skip makes 16s, two make 8s. (Long,
Shelhamer and Darrell, CVPR 2015, section 4.2; Shelhamer, Long and Darrell, PAMI 2016, section 4.3.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caffe.coord_map import crop
from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from fcn_caffe.net_spec.blocks import FIXED, Level, score_conv, upsample


@dataclass(frozen=True)
class Head:
    """One labelling that a net learns.

    suffix: what the names of its blobs end in, where a net has several heads.
    weights: a binaryproto with the weights of the classes in the loss on its diagonal; "": all weigh alike.
    renamed: whether the names of its layers with weights tell the number of classes (`score_fr_7cls`). So the weights
        of a published net, which are for another number, are left alone and not refused.
    """

    classes: int
    label: str = "label"
    suffix: str = ""
    loss: str = "loss"
    renamed: bool = False
    weights: str = ""

    @property
    def ending(self) -> str:
        """What the names of its layers with weights end in."""
        return self.suffix + (f"_{self.classes}cls" if self.renamed else "")


def segment(
    n: NetSpec,
    streams: dict[str, list[Level]],
    head: Head,
    stride: int,
    image: Top,
    upsampling: Callable[[int], dict[str, int]],
    at_once: bool = False,
    learned: bool = False,
) -> Top:
    """Scores of every class at every pixel of `image`, refined by skips down to `stride`.

    streams: for the suffix of each trunk in the net, its levels, coarsest first; where there are several trunks, the
        mean of their scores counts (late fusion).
    at_once: all skips train from the beginning, each scaled down by a further 1/100 to the scale of the coarsest.
    learned: the upsampling to the stride of a skip is learned; that to the image is fixed in any case (CVPR 2015,
        section 4.2).
    Raises ValueError for a stride that is not one of the levels'.
    """
    strides = [level.stride for level in next(iter(streams.values()))]
    if stride not in strides:
        raise ValueError(f"a net of stride {stride}: the strides that this trunk can be scored at are {strides}")
    skips = range(1, strides.index(stride) + 1)
    levels = [{suffix: levels[depth] for suffix, levels in streams.items()} for depth in (0, *skips)]

    fused, intermediate = _score(n, levels[0], head), "upscore2"
    for depth in skips:
        name, factor = _any(levels[depth]).name, strides[depth - 1] // strides[depth]
        n[intermediate + head.ending] = up = upsample(fused, head.classes, upsampling(factor), learned)
        n[f"score_{name}{head.suffix}c"] = skip = crop(
            _score(n, levels[depth], head, 0.01**depth if at_once else 1), up
        )
        n[f"fuse_{name}{head.suffix}"] = fused = L.Eltwise(up, skip, operation=P.Eltwise.SUM)
        intermediate = f"upscore_{name}"
    final = "upscore" if not skips else f"upscore{stride}"
    n[final + head.ending] = up = upsample(fused, head.classes, upsampling(stride))
    n["score" + head.suffix] = score = crop(up, image)
    return score


def add_loss(n: NetSpec, score: Top, head: Head, normalize: bool) -> None:
    """The softmax loss of the pixels whose label is not 255: their mean with `normalize`, otherwise an image's sum;
    each pixel with the weight of its class, if the head has some."""
    if head.weights:
        n[head.loss] = L.InfogainLoss(
            score,
            n[head.label],
            loss_param={"normalization": P.Loss.VALID if normalize else P.Loss.BATCH_SIZE, "ignore_label": 255},
            infogain_loss_param={"source": head.weights},
        )
        return
    loss_param = {"normalize": normalize, "ignore_label": 255}
    n[head.loss] = L.SoftmaxWithLoss(score, n[head.label], loss_param=loss_param)


def _score(n: NetSpec, level: dict[str, Level], head: Head, scale: float = 1) -> Top:
    scores = []
    for stream, (name, _, top) in level.items():
        if scale != 1:
            filler = {"type": "constant", "value": scale}
            n[f"scale_{name}{stream}{head.suffix}"] = top = L.Scale(top, filler=filler, param=FIXED)
        n[f"score_{name}{stream}{head.ending}"] = score = score_conv(top, head.classes)
        scores.append(score)
    if len(scores) == 1:
        return scores[0]
    name = _any(level).name
    fused = "score_fused" if name == "fr" else f"score_{name}_fused"
    mean = L.Eltwise(*scores, operation=P.Eltwise.SUM, coeff=[1 / len(scores)] * len(scores))
    n[fused + head.suffix] = mean
    return mean


def _any(level: dict[str, Level]) -> Level:
    """The level of one stream: those of the others have the same name and stride."""
    return next(iter(level.values()))
