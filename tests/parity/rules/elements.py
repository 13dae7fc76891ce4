"""Layers that keep the shape: functions of each number, of each channel, and normalisations."""

from __future__ import annotations

import math

from tests.parity.draft import Draft

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
