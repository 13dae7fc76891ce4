"""Nets written as Python expressions.

    n = NetSpec()
    n.data = layers.Input(shape=dict(dim=[1, 3, 227, 227]))
    n.conv1 = layers.Convolution(n.data, num_output=96, kernel_size=11, stride=4)
    n.relu1 = layers.ReLU(n.conv1, in_place=True)
    message = n.to_proto()  # a NetParameter of three layers

Three nouns: a `Function` is a layer with its settings, a `Top` is one of the blobs it makes, a `NetSpec` gives names to
tops. One verb: `to_proto` writes the layers that the tops need, bottoms before their consumers. A blob without a name
is called after its layer's type and a running number (`Convolution1`), and a layer after its first top.

The API is pycaffe's (python/caffe/net_spec.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from caffe.proto import caffe_pb2

__all__ = [
    "Function",
    "Layers",
    "NetSpec",
    "Parameters",
    "Top",
    "assign_proto",
    "layers",
    "param_name_dict",
    "params",
    "to_proto",
]


class UnknownTopError(AttributeError, KeyError):
    """A NetSpec has no top of that name. It is both errors: `n.name` promises the one and `n["name"]` the other."""

    def __str__(self) -> str:
        return str(self.args[0])


class Top:
    """One output blob of a layer: number `n` of the tops of the Function `fn`.

    `name` is where a NetSpec keeps it, and serves messages only.
    """

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n
        self.name: str | None = None

    def to_proto(self) -> Any:
        """A NetParameter of all layers that this blob needs."""
        return to_proto(self)

    def __repr__(self) -> str:
        return f"'{self.name}' ({self.fn.type_name})" if self.name else f"an unnamed {self.fn.type_name}"


class Function:
    """A layer: its type, the Tops it reads, and its settings.

    Two settings say how it is wired and never reach the message: `ntop` is the number of tops, and with `in_place` the
    tops are the bottoms. Raises TypeError for an input that is not a Top.
    """

    def __init__(self, type_name: str, inputs: Iterable[Top], params: dict[str, Any]) -> None:
        self.type_name = type_name
        self.inputs = tuple(inputs)
        for index, top in enumerate(self.inputs):
            if not isinstance(top, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(top)})")
        self.ntop: int = params.get("ntop", 1)
        self.in_place: bool = params.get("in_place", False)
        self.params = {key: value for key, value in params.items() if key not in ("ntop", "in_place")}
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def __repr__(self) -> str:
        return f"{self.type_name} layer of {self.ntop} tops"


class NetSpec:
    """Tops under names: `n.conv1 = top` or `n["conv1"] = top` names a blob, and `n.tops` holds them in order."""

    tops: dict[str, Top | Function]

    def __init__(self) -> None:
        super().__setattr__("tops", {})

    def __setattr__(self, name: str, value: Top | Function) -> None:
        if not isinstance(value, (Top, Function)):
            found = f"{len(value)} tops" if isinstance(value, tuple) else f"a {type(value).__name__}"
            raise TypeError(f"NetSpec: '{name}' is given {found}, expected one Top: give every top a name of its own")
        if isinstance(value, Top):
            value.name = name
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["tops"][name]
        except KeyError:
            names = ", ".join(self.__dict__.get("tops", ())) or "nothing yet"
            raise UnknownTopError(f"NetSpec: there is no '{name}' in it; it names {names}") from None

    def __setitem__(self, key: str, value: Top | Function) -> None:
        setattr(self, key, value)

    def __getitem__(self, item: str) -> Any:
        return self.__getattr__(item)

    def to_proto(self) -> Any:
        """A NetParameter of all layers that the named tops need, in the order in which they were named."""
        return _net(self.tops.values(), {top: name for name, top in self.tops.items()})


def to_proto(*tops: Top | Function) -> Any:
    """A NetParameter of all layers that `tops` need, every blob named automatically."""
    return _net(tops, {})


def param_name_dict() -> dict[str, str]:
    """Layer type to the stem of its settings' field in LayerParameter: `{"InnerProduct": "inner_product", ...}`.

    It holds every `*_param` field of LayerParameter, also those that belong to no single type ("Loss",
    "Transformation"). Of several fields with one message, as forks have them, it holds the one with the lowest number.
    """
    fields: list[Any] = list(caffe_pb2.LayerParameter.DESCRIPTOR.fields)
    return {
        field.message_type.name[: -len("Parameter")]: field.name[: -len("_param")]
        for field in sorted(fields, key=lambda field: -field.number)
        if field.name.endswith("_param")
    }


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Puts a Python value into field `name` of the message `proto`.

    A dict fills a message, field by field; a list or tuple extends a repeated field, where anything else counts as a
    list of one. Raises AttributeError for a field that the message does not have.
    """
    if name not in proto.DESCRIPTOR.fields_by_name:
        raise AttributeError(f"{proto.DESCRIPTOR.name} has no field '{name}'{_suggestion(proto, name)}")
    field = getattr(proto, name)
    if hasattr(field, "extend"):
        for item in val if isinstance(val, (list, tuple)) else [val]:
            if isinstance(item, dict):
                _assign_all(field.add(), item)
            else:
                field.extend([item])
    elif isinstance(val, dict):
        _assign_all(field, val)
    else:
        setattr(proto, name, val)


class Layers:
    """Any attribute is a function that makes a layer of that type: `layers.ReLU(top, in_place=True)`.

    Its arguments are the bottoms, its keywords the settings; it returns the Top, a tuple of Tops for `ntop` above one,
    or the Function itself for `ntop=0`. A keyword is a field of the type's own message (`num_output`) or of
    LayerParameter (`param`, `loss_weight`, `convolution_param`).
    """

    def __getattr__(self, type_name: str) -> Callable[..., Any]:
        if type_name.startswith("__"):
            raise AttributeError(type_name)

        def layer(*inputs: Top, **params: Any) -> Function | Top | tuple[Top, ...]:
            fn = Function(type_name, inputs, params)
            if fn.ntop == 0:
                return fn
            return fn.tops[0] if fn.ntop == 1 else fn.tops

        return layer


class Parameters:
    """The constants of the layers' messages: `params.Pooling.MAX` is `caffe_pb2.PoolingParameter.MAX`."""

    def __getattr__(self, type_name: str) -> Any:
        return getattr(caffe_pb2, type_name + "Parameter")


class _NetWriter:
    """Turns Functions into the layers of one net. `names` holds the blobs and layers that have a name already."""

    def __init__(self, names: dict[Top | Function, str]) -> None:
        self.names = names
        self.numbers: Counter[str] = Counter()
        self.layers: dict[Function, Any] = {}

    def add(self, fn: Function) -> None:
        """Writes `fn`, after everything that it needs and that is not written yet."""
        stack = [fn]
        while stack:
            fn = stack[-1]
            waiting = [top.fn for top in reversed(fn.inputs) if top.fn not in self.layers]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            if fn not in self.layers:
                self.layers[fn] = self._message(fn)

    def _message(self, fn: Function) -> Any:
        message = caffe_pb2.LayerParameter(type=fn.type_name)
        message.bottom.extend(self.layers[top.fn].top[top.n] for top in fn.inputs)
        if fn.in_place:
            message.top.extend(message.bottom)
        else:
            message.top.extend([self._name(top, fn.type_name) for top in fn.tops])
        if fn not in self.names and fn.tops:
            self.names[fn] = self._name(fn.tops[0], fn.type_name)
        message.name = self._name(fn, fn.type_name)
        _assign_settings(message, fn.params)
        return message

    def _name(self, item: Top | Function, type_name: str) -> str:
        if item not in self.names:
            self.numbers[type_name] += 1
            self.names[item] = f"{type_name}{self.numbers[type_name]}"
        return self.names[item]


def _net(tops: Iterable[Top | Function], names: dict[Top | Function, str]) -> Any:
    writer = _NetWriter(names)
    for top in tops:
        writer.add(top.fn if isinstance(top, Top) else top)
    return caffe_pb2.NetParameter(layer=writer.layers.values())


def _assign_settings(layer: Any, settings: dict[str, Any]) -> None:
    stem = _param_names.get(layer.type)
    own = f"{stem}_param" if stem else None
    own_fields = layer.DESCRIPTOR.fields_by_name[own].message_type.fields_by_name if own else {}
    for key, value in settings.items():
        if own and key in own_fields and not key.endswith("param"):
            assign_proto(getattr(layer, own), key, value)
        elif key in layer.DESCRIPTOR.fields_by_name:
            assign_proto(layer, key, value)
        else:
            raise AttributeError(_unknown_setting(layer, own, key))


def _assign_all(message: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        assign_proto(message, key, value)


def _unknown_setting(layer: Any, own: str | None, key: str) -> str:
    problem = f"layer '{layer.name}' ({layer.type}): unknown setting '{key}'"
    if own:
        return f"{problem}: neither {own} nor LayerParameter has it{_suggestion(getattr(layer, own), key)}"
    homes = [
        field.name
        for field in layer.DESCRIPTOR.fields
        if field.name.endswith("_param") and key in field.message_type.fields_by_name
    ]
    remedy = f"; write it inside its message, as in {homes[0]}=dict({key}=...)" if homes else _suggestion(layer, key)
    return f"{problem}: LayerParameter does not have it, and there is no {layer.type}Parameter{remedy}"


def _suggestion(message: Any, name: str) -> str:
    close = get_close_matches(name, list(message.DESCRIPTOR.fields_by_name), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


_param_names = param_name_dict()
layers = Layers()
params = Parameters()
