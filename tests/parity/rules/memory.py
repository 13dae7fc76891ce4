"""Layers with weights over whole items, with memory, or with looked-up rows."""

from __future__ import annotations

from tests.parity.draft import Draft


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
