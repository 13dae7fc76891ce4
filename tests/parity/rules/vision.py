"""Layers that look at neighbourhoods of a map."""

from __future__ import annotations

import math

from tests.parity.draft import Draft


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
