"""The rules of random nets: how a layer of each type may follow what is there. One that finds no place does nothing."""

from __future__ import annotations

import math

from tests.parity.random_nets import Draft


def convolution(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 3)
    if bottom is None:
        return
    n, channels, *sizes = d.shapes[bottom]
    group = d.choose([g for g in (1, 1, 1, 2, 3, 4) if channels % g == 0])
    outputs = group * d.integer(1, 3)
    kernel = [d.integer(1, 3) for _ in sizes]
    stride, pad, dilation = ([d.choose(options) for _ in sizes] for options in ([1, 1, 2], [0, 0, 1, 2], [1, 1, 1, 2]))
    words = [f"num_output: {outputs}", f"group: {group}" if group > 1 else "", d.choose(["", "", "bias_term: false"])]
    if len(sizes) == 2 and d.chance(0.2):
        kernel, stride, pad, dilation = ([values[0]] * 2 for values in (kernel, stride, pad, dilation))
        words.append(f"kernel_size: {kernel[0]} stride: {stride[0]} pad: {pad[0]} dilation: {dilation[0]}")
    else:
        for name, values in (("kernel_size", kernel), ("stride", stride), ("pad", pad), ("dilation", dilation)):
            words += [f"{name}: {value}" for value in values]
    extents = [dil * (k - 1) + 1 for k, dil in zip(kernel, dilation, strict=True)]
    if d.chance(0.7):
        type = "Convolution"
        out = [(size + 2 * p - e) // s + 1 for size, p, e, s in zip(sizes, pad, extents, stride, strict=True)]
        if any(size + 2 * p < e for size, p, e in zip(sizes, pad, extents, strict=True)):
            return
    else:
        type = "Deconvolution"
        out = [(size - 1) * s + e - 2 * p for size, p, e, s in zip(sizes, pad, extents, stride, strict=True)]
    if d.fits((n, outputs, *out)):
        d.add(type, [bottom], [(n, outputs, *out)], "convolution_param { " + " ".join(words) + " }", keeps=True)


def pooling(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 4)
    if bottom is None:
        return
    n, channels, height, width = d.shapes[bottom]
    method = d.choose(["MAX", "MAX", "AVE"])
    if d.chance(0.1):
        body, out = f"pool: {method} global_pooling: true", (1, 1)
    else:
        kernel = [d.integer(1, min(3, size)) for size in (height, width)]
        stride = [d.integer(1, k) for k in kernel]
        pad = [d.choose([0, 0, k - 1]) for k in kernel]
        floor = d.chance(0.2)
        out = tuple(_pooled(*v, floor) for v in zip((height, width), kernel, stride, pad, strict=True))
        if any(pad) and any(
            (o - 1) * s >= size + p for o, s, size, p in zip(out, stride, (height, width), pad, strict=True)
        ):
            out = tuple(
                o - ((o - 1) * s >= size + p) for o, s, size, p in zip(out, stride, (height, width), pad, strict=True)
            )
        body = (
            f"pool: {method} kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride_h: {stride[0]} stride_w: {stride[1]} "
            f"pad_h: {pad[0]} pad_w: {pad[1]}" + (" round_mode: FLOOR" if floor else "")
        )
    if d.fits((n, channels, *out)):
        d.add("Pooling", [bottom], [(n, channels, *out)], f"pooling_param {{ {body} }}", keeps=True)


def _pooled(size: int, kernel: int, stride: int, pad: int, floor: bool) -> int:
    return (math.floor if floor else math.ceil)((size + 2 * pad - kernel) / stride) + 1


def spp(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 4 and min(shape[2:]) >= 3)
    if bottom is None:
        return
    n, channels, *_ = d.shapes[bottom]
    levels = d.integer(1, 2)
    body = f"spp_param {{ pyramid_height: {levels} pool: {d.choose(['MAX', 'AVE'])} }}"
    out = (n, channels, 1, 1) if levels == 1 else (n, channels * 5)
    d.add("SPP", [bottom], [out], body, dead=levels == 1)


def im2col(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 4)
    if bottom is None:
        return
    n, channels, *sizes = d.shapes[bottom]
    kernel = [d.integer(1, min(3, size)) for size in sizes]
    stride, pad = d.integer(1, 2), d.choose([0, 1])
    out = (
        n,
        channels * kernel[0] * kernel[1],
        *((s + 2 * pad - k) // stride + 1 for s, k in zip(sizes, kernel, strict=True)),
    )
    body = f"convolution_param {{ kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride: {stride} pad: {pad} }}"
    if d.fits(out):
        d.add("Im2col", [bottom], [out], body, keeps=True)


def lrn(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 4)
    if bottom is not None:
        region = d.choose(["", "", "norm_region: WITHIN_CHANNEL"])
        size, alpha, beta = d.choose([1, 3, 5]), d.number(0.1, 2), d.number(0.3, 1.2)
        k = "" if region else d.choose(["", "k: 2"])
        body = f"lrn_param {{ local_size: {size} alpha: {alpha} beta: {beta} {k} {region} }}"
        d.add("LRN", [bottom], [d.shapes[bottom]], body)


def crop(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 4)
    if bottom is None:
        return
    shape = d.shapes[bottom]
    axis = d.choose([2, 2, 1, 3, -1])
    small = [s if i < axis % 4 else d.integer(1, s) for i, s in enumerate(shape)]
    offsets = [d.integer(0, s - t + (1 if d.chance(0.02) else 0)) for s, t in zip(shape, small, strict=True)][
        axis % 4 :
    ]
    if d.chance(0.3):
        offsets = [min(offsets)]
    body = f"crop_param {{ axis: {axis} {' '.join(f'offset: {o}' for o in offsets)} }}"
    d.add("Crop", [bottom, d.input(small)], [small], body, keeps=True)


ACTIVATIONS = {
    "ReLU": lambda d: d.choose(["", "", f"relu_param {{ negative_slope: {d.number(0.05, 0.5)} }}"]),
    "ELU": lambda d: f"elu_param {{ alpha: {d.number(0.2, 2)} }}",
    "Sigmoid": lambda d: "",
    "TanH": lambda d: "",
    "PReLU": lambda d: d.choose(["", "prelu_param { channel_shared: true }"]),
    "Dropout": lambda d: "phase: TEST",
}
FUNCTIONS = {
    "AbsVal": lambda d: "",
    "Clip": lambda d: f"clip_param {{ min: {d.number(-2, 0)} max: {d.number(0.1, 2)} }}",
    "BNLL": lambda d: "",
    "Swish": lambda d: f"swish_param {{ beta: {d.number(0.5, 2)} }}",
    "Power": lambda d: d.choose(["power_param { scale: -0.7 shift: 1 }", "power_param { power: 2 scale: 0.5 }"]),
}


def activation(d: Draft) -> None:
    type = d.choose(list(ACTIVATIONS))
    bottom = d.pick(lambda shape: type != "PReLU" or 2 <= len(shape) <= 4)
    if bottom is not None:
        params = ["uniform(0.05,0.5)"] if type == "PReLU" else None
        keeps = type == "Dropout" and bottom in d.may_be_overwritten
        d.add(type, [bottom], [d.shapes[bottom]], ACTIVATIONS[type](d), params, in_place=True, keeps=keeps)


def function(d: Draft) -> None:
    bottom = d.pick()
    type = d.choose(list(FUNCTIONS))
    d.add(type, [bottom], [d.shapes[bottom]], FUNCTIONS[type](d))


def bounded_function(d: Draft) -> None:
    """Exp, Log and powers blow up: they stand on a Sigmoid."""
    bottom = d.pick()
    (middle,) = d.add("Sigmoid", [bottom], [d.shapes[bottom]])
    type, body = d.choose(
        [
            ("Exp", "exp_param { base: 2 scale: 1.5 shift: -0.5 }"),
            ("Exp", ""),
            ("Log", "log_param { shift: 0.2 }"),
            ("Log", "log_param { base: 10 scale: 2 shift: 0.5 }"),
            ("Power", "power_param { power: 0.7 shift: 0.2 }"),
            ("Power", "power_param { power: -1 shift: 0.5 scale: 2 }"),
        ]
    )
    d.add(type, [middle], [d.shapes[bottom]], body)


def scale_or_bias(d: Draft) -> None:
    bottom = d.pick()
    shape = d.shapes[bottom]
    type = d.choose(["Scale", "Scale", "Bias"])
    axis = d.integer(0, len(shape) - 1)
    axes = d.integer(0 if d.chance(0.3) else min(1, len(shape) - axis), len(shape) - axis)
    bias = " bias_term: true" if type == "Scale" and d.chance(0.5) else ""
    field = f"{type.lower()}_param"
    if d.chance(0.3):
        second = d.pick(lambda other: other == shape[axis : axis + axes]) or d.input(shape[axis : axis + axes])
        if second != bottom:
            d.add(type, [bottom, second], [shape], f"{field} {{ axis: {axis}{bias} }}", keeps=True)
        return
    d.add(type, [bottom], [shape], f"{field} {{ axis: {axis} num_axes: {axes}{bias} }}", in_place=True, keeps=True)


def batch_norm(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 2 and math.prod(shape) // shape[1] >= 3)
    if bottom is not None:
        body = d.choose(["", "", "use_global_stats: true", "moving_average_fraction: 0.9"])
        d.add(
            "BatchNorm",
            [bottom],
            [d.shapes[bottom]],
            f"batch_norm_param {{ eps: 0.01 {body} }}",
            in_place=True,
            keeps=True,
        )


def mvn(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) in (3, 4) and math.prod(shape[2:]) >= 3)
    if bottom is not None:
        body = "eps: 0.01 " + d.choose(["", "across_channels: true", "normalize_variance: false"])
        d.add("MVN", [bottom], [d.shapes[bottom]], f"mvn_param {{ {body} }}")


def softmax(d: Draft) -> None:
    bottom = d.pick(lambda shape: max(shape) >= 2)
    if bottom is not None:
        axis = d.choose([i for i, size in enumerate(d.shapes[bottom]) if size >= 2])
        d.add("Softmax", [bottom], [d.shapes[bottom]], f"softmax_param {{ axis: {axis} }}")


def inner_product(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 2)
    if bottom is None:
        return
    shape = d.shapes[bottom]
    axis = d.integer(1, len(shape) - 1)
    outputs = d.integer(1, 5)
    more = d.choose(["", "", "bias_term: false", "transpose: true"])
    sharing = 'param { name: "shared" }' if shape[axis:] == (4,) and outputs == 4 and "transpose" not in more else ""
    body = f"inner_product_param {{ num_output: {outputs} axis: {axis} {more} }} {sharing or lr_mult(d)}"
    d.add("InnerProduct", [bottom], [(*shape[:axis], outputs)], body, keeps=True)


def lr_mult(d: Draft) -> str:
    return "param { lr_mult: 0 }" if d.chance(0.1) else ""


def eltwise(d: Draft) -> None:
    first = d.pick()
    alike = [name for name in d.floats if d.shapes[name] == d.shapes[first]]
    bottoms = [first, *(d.choose(sorted(alike)) for _ in range(d.integer(1, 2)))]
    if len(alike) == 1:
        bottoms[1] = d.input(d.shapes[first]) if d.chance(0.97) else d.pick()
    operation = d.choose(["SUM", "SUM", "PROD", "MAX"])
    if operation == "MAX" and len(set(bottoms)) < len(bottoms):
        operation = "SUM"
    coeff = " ".join(f"coeff: {d.number(-2, 2)}" for _ in bottoms) if operation == "SUM" and d.chance(0.4) else ""
    body = f"eltwise_param {{ operation: {operation} {coeff} }}"
    d.add("Eltwise", bottoms, [d.shapes[first]], body, keeps=operation == "SUM")


def concat(d: Draft) -> None:
    first = d.pick()
    shape = d.shapes[first]
    axis = d.integer(0, len(shape) - 1)

    def joins(other):
        return len(other) == len(shape) and all(
            a == b for i, (a, b) in enumerate(zip(shape, other, strict=True)) if i != axis
        )

    bottoms = [first, *(d.pick(joins) for _ in range(d.integer(int(first in d.overwritten), 2)))]
    if d.chance(0.02):
        bottoms.append(d.pick())
    total = sum(d.shapes[name][axis % max(1, len(d.shapes[name]))] for name in bottoms)
    out = (*shape[:axis], total, *shape[axis + 1 :])
    if d.fits(out):
        d.add("Concat", bottoms, [out], f"concat_param {{ axis: {axis} }}", keeps=len(bottoms) > 1)


def slice_(d: Draft) -> None:
    bottom = d.pick(lambda shape: max(shape) >= 2)
    if bottom is None:
        return
    shape = d.shapes[bottom]
    axis = d.choose([i for i, size in enumerate(shape) if size >= 2])
    size = shape[axis]
    if size % 2 == 0 and d.chance(0.4):
        parts, points = [size // 2] * 2, ""
    else:
        cut = d.integer(1, size - 1)
        parts, points = [cut, size - cut], f"slice_point: {cut}"
    tops = [(*shape[:axis], part, *shape[axis + 1 :]) for part in parts]
    d.add("Slice", [bottom], tops, f"slice_param {{ axis: {axis} {points} }}", keeps=True)


def split(d: Draft) -> None:
    bottom = d.pick()
    d.add("Split", [bottom], [d.shapes[bottom]] * d.integer(1, 3))


# Real Caffe's Flatten and Reshape (and Concat of one bottom) share one diff between bottom and top, so that a layer in
# place on the bottom changes the diff of the top as well; and a Flatten after a Reshape, RNN, LSTM or Parameter
# loses the gradient.


def flatten(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 2, but=d.overwritten | d.shared)
    if bottom is not None:
        shape = d.shapes[bottom]
        axis = d.integer(0, len(shape) - 1)
        end = d.integer(axis, len(shape) - 1)
        out = (*shape[:axis], math.prod(shape[axis : end + 1]), *shape[end + 1 :])
        d.add("Flatten", [bottom], [out], f"flatten_param {{ axis: {axis} end_axis: {end} }}")


def reshape(d: Draft) -> None:
    bottom = d.pick(but=d.overwritten)
    if bottom is None:
        return
    count = math.prod(d.shapes[bottom])
    first = d.choose([n for n in range(1, count + 1) if count % n == 0])
    second = d.choose([n for n in range(1, count // first + 1) if (count // first) % n == 0])
    out = [first, second, count // first // second][: d.integer(2, 3)]
    if len(out) == 2:
        out[1] = count // first
    dims = [str(size) for size in out]
    if d.chance(0.5):
        dims[d.integer(0, len(dims) - 1)] = "-1"
    d.add("Reshape", [bottom], [out], "reshape_param { shape { " + " ".join(f"dim: {s}" for s in dims) + " } }")


def tile(d: Draft) -> None:
    bottom = d.pick()
    shape = d.shapes[bottom]
    axis, tiles = d.integer(0, len(shape) - 1), d.integer(1, 3)
    out = (*shape[:axis], shape[axis] * tiles, *shape[axis + 1 :])
    if d.fits(out):
        d.add("Tile", [bottom], [out], f"tile_param {{ axis: {axis} tiles: {tiles} }}", keeps=True)


def reduction(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 2)
    if bottom is not None:
        axis = d.integer(1, len(d.shapes[bottom]) - 1)
        operation = d.choose(["SUM", "ASUM", "SUMSQ", "MEAN"])
        body = f"reduction_param {{ operation: {operation} axis: {axis} coeff: {d.number(-1, 1)} }}"
        d.add("Reduction", [bottom], [d.shapes[bottom][:axis]], body)


def recurrent(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 3) or d.input([d.integer(1, 3) for _ in range(3)])
    steps, streams, _ = d.shapes[bottom]
    outputs = d.integer(1, 3)
    body = f"recurrent_param {{ num_output: {outputs} }}"
    cont = d.input((steps, streams), "binary")
    if d.fits((steps, streams, outputs)):
        d.add(d.choose(["RNN", "LSTM"]), [bottom, cont], [(steps, streams, outputs)], body)


def lstm_unit(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 2)
    if bottom is not None:
        streams, gates = d.shapes[bottom][0], 4 * d.integer(1, 2)
        (middle,) = d.add(
            "InnerProduct", [bottom], [(streams, gates)], f"inner_product_param {{ num_output: {gates} }}"
        )
        body = f"reshape_param {{ shape {{ dim: 1 dim: {streams} dim: {gates} }} }}"
        (bottom,) = d.add("Reshape", [middle], [(1, streams, gates)], body)
        cell, cont = d.input((1, streams, gates // 4)), d.input((1, streams), "binary")
        d.add("LSTMUnit", [cell, bottom, cont], [(1, streams, gates // 4)] * 2)


def indexed(d: Draft) -> None:
    """BatchReindex, Filter and Embed have no gradient for one bottom: force_backward cannot be used with them."""
    bottom = d.pick(lambda shape: len(shape) >= 1)
    if d.forced and d.chance(0.95):
        return
    shape = d.shapes[bottom]
    type = d.choose(["BatchReindex", "Filter", "Embed"])
    if type == "BatchReindex":
        n = d.integer(1, 4)
        d.add(type, [bottom, d.input((n,), f"labels({shape[0]})")], [(n, *shape[1:])])
    elif type == "Filter":
        keep = [d.integer(0, 1) for _ in shape[:1] * shape[0]]
        keep[0] = 1
        selector = d.input((shape[0],), f"values({','.join(map(str, keep))})")
        d.add(type, [bottom, selector], [(sum(keep), *shape[1:])], dead=True)
    else:
        n, outputs = d.integer(1, 4), d.integer(1, 4)
        d.add(
            type, [d.input((n,), "labels(5)")], [(n, outputs)], f"embed_param {{ input_dim: 5 num_output: {outputs} }}"
        )


def parameter(d: Draft) -> None:
    shape = (d.integer(1, 3), d.integer(1, 4))
    d.add("Parameter", [], [shape], f"parameter_param {{ shape {{ dim: {shape[0]} dim: {shape[1]} }} }}")


def silence(d: Draft) -> None:
    d.add("Silence", [d.pick()], [])


def without_gradient(d: Draft) -> None:
    if not d.forced or d.chance(0.03):
        bottom = d.pick(lambda shape: len(shape) >= 2)
        if bottom is not None and d.chance(0.5):
            d.add("Threshold", [bottom], [d.shapes[bottom]], "threshold_param { threshold: 0.1 }", dead=True)
        elif bottom is not None:
            d.add("ArgMax", [bottom], [d.shapes[bottom]], "argmax_param { axis: 1 }", dead=True)


def softmax_loss(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 2)
    if bottom is None:
        return
    shape = d.shapes[bottom]
    label = d.input((shape[0], *shape[2:]), f"labels({shape[1]})")
    ignore = "ignore_label: 0" if d.chance(0.3) else ""
    normal = d.choose(
        ["", "normalize: false", *(f"normalization: {n}" for n in ("FULL", "VALID", "BATCH_SIZE", "NONE"))]
    )
    _loss(d, "SoftmaxWithLoss", [bottom, label], f"loss_param {{ {ignore} {normal} }}")
    if not d.forced and d.chance(0.5):
        d.add("Accuracy", [bottom, label], [()], dead=True)


def pair_loss(d: Draft) -> None:
    type = d.choose(["EuclideanLoss", "SigmoidCrossEntropyLoss", "HingeLoss"])
    bottom = d.pick(lambda shape: 2 <= len(shape) <= 4)
    if bottom is None:
        return
    shape = d.shapes[bottom]
    if type == "HingeLoss":
        classes = math.prod(shape[1:])
        _loss(
            d,
            type,
            [bottom, d.input((shape[0],), f"labels({classes})")],
            d.choose(["", "hinge_loss_param { norm: L2 }"]),
        )
    else:
        _loss(d, type, [bottom, d.input(shape, "normal" if type == "EuclideanLoss" else "uniform(0,1)")])


def weighted_top(d: Draft) -> None:
    bottom = d.pick()
    d.add(
        "Power", [bottom], [d.shapes[bottom]], f"power_param {{ power: 2 }} loss_weight: {d.number(-1, 1)}", dead=True
    )
    d.has_loss = True


def contrastive_loss(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 2)
    if bottom is not None:
        other = d.pick(lambda shape: shape == d.shapes[bottom])
        legacy = d.choose(["", "legacy_version: true"])
        similar = d.input((d.shapes[bottom][0],), "binary")
        _loss(d, "ContrastiveLoss", [bottom, other, similar], f"contrastive_loss_param {{ margin: 2 {legacy} }}")


def probability_loss(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 2)
    if bottom is None:
        return
    n, classes = d.shapes[bottom]
    (probabilities,) = d.add("Softmax", [bottom], [(n, classes)])
    label = d.input((n,), f"labels({classes})")
    if d.chance(0.5):
        _loss(d, "MultinomialLogisticLoss", [probabilities, label])
    elif not d.forced:
        _loss(d, "InfogainLoss", [bottom, label, d.input((1, 1, classes, classes), "uniform(0,1)")])


def _loss(d: Draft, type: str, bottoms: list[str], body: str = "") -> None:
    weight = f"loss_weight: {d.number(0.1, 3)}" if d.chance(0.4) else ""
    d.add(type, bottoms, [()], f"{body} {weight}", dead=True, loss=True)
    d.has_loss = True


RULES = [
    (convolution, 6),
    (pooling, 3),
    (spp, 0.5),
    (im2col, 0.5),
    (lrn, 1),
    (crop, 1),
    (activation, 6),
    (function, 2),
    (bounded_function, 1),
    (scale_or_bias, 3),
    (batch_norm, 2),
    (mvn, 1),
    (softmax, 1),
    (inner_product, 4),
    (eltwise, 3),
    (concat, 2),
    (slice_, 2),
    (split, 0.5),
    (flatten, 1),
    (reshape, 1),
    (tile, 1),
    (reduction, 0.5),
    (recurrent, 1),
    (lstm_unit, 1),
    (indexed, 2),
    (parameter, 0.3),
    (silence, 0.3),
    (without_gradient, 0.3),
    (softmax_loss, 0.5),
    (pair_loss, 0.5),
]
LOSSES = [softmax_loss, pair_loss, weighted_top, contrastive_loss, probability_loss]
