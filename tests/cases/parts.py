"""Small pieces of nets, for the cases that are whole nets."""

from tests.cases.case import input_layer, layer


def net(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def fc(name, bottom, top, n=4, more=""):
    return layer(name, "InnerProduct", [bottom], [top], f"inner_product_param {{ num_output: {n} }} {more}")


def relu(name, blob):
    return layer(name, "ReLU", [blob], [blob])


def loss(bottom, label="label", more="", name="loss"):
    return layer(name, "SoftmaxWithLoss", [bottom, label], [name], more)


X = input_layer("x", (3, 4))
MAP = input_layer("map", (2, 2, 5, 4))
LABEL = input_layer("label", (3,))
FOUR = {"label": "labels(4)"}
LABELLED = {"kinds": FOUR, "force_backward": False}
FLOAT_LABEL = input_layer("target", (3, 4))
