"""A net as a torch.nn.Module: its parameters by name, differentiable, for training in PyTorch and for torch.export."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F

from caffe import switches
from caffe.errors import NetError, UsageError
from caffe.formats import parameter_names, safetensors
from caffe.layer_types.base import NativeLayer, TorchLayer
from caffe.net import Net
from caffe.net.graph import Node
from caffe.net.trained_layers import copy_layers
from caffe.proto import caffe_pb2


class _Given:
    """A parameter that may be another tensor at each call, so that nothing that is made of it is kept."""

    def __init__(self, values: torch.Tensor):
        self.values = values

    def of_type(self, kind: torch.dtype) -> torch.Tensor:
        return self.values.to(kind)

    def made_of(self, make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        return make(self.values, *settings)

    def keeps(self, make: Callable[..., torch.Tensor], *settings: object) -> bool:
        return False

    def gradient_memory(self) -> torch.Tensor | None:
        return None


STATISTICS = ("BatchNorm", "BN")
"""Types with parameters that no solver changes."""


class NetModule(torch.nn.Module):
    """What a net computes, as a module with parameters of its own.

    forward(*inputs): tensors in the order of the net's inputs, or by name; the output, or of several a dict by name.
    Parameters are called LAYER.weight, LAYER.bias, or LAYER.blob0 …; those of lr_mult 0 need no gradient, and
    statistics of BatchNorm are buffers. Dropout acts in train(), not in eval(); all else is as the net's phase says:
    BatchNorm of a TEST net has its stored statistics in train(), too. Recurrent layers begin at zero each time. Raises
    NetError with the layer's name for a net with a layer that is not a function of tensors.
    """

    def __init__(self, net: Net):
        super().__init__()
        self._check(net)
        self._twin = Net.from_message(_message(net))
        self._names: list[str] = self._twin.graph.blob_names
        self.inputs, self.outputs = list(net.inputs), [name for name in net.outputs if name not in net.inputs]
        self._nodes: list[Node] = [node for node in self._twin.nodes if node.layer.type not in ("Input", "Silence")]
        with net.lock:
            pairs = zip(self._twin.graph.params, net.graph.params, strict=True)
            values = {id(mine.blob): theirs.blob for mine, theirs in pairs}
            self._places = [self._register(node, values) for node in self._nodes]
        self.train(net.phase == caffe_pb2.TRAIN)

    @staticmethod
    def _check(net: Net) -> None:
        for node in net.nodes:
            layer = node.layer
            works = isinstance(layer, TorchLayer) and type(layer).compute is not TorchLayer.compute
            if not works and layer.type not in ("Input", "Silence", "Parameter"):
                raise NetError(
                    f"{layer} is no function of tensors, expected a net of Input layers and such functions. Give the "
                    "deploy net, or cut the net before this layer.",
                    layer=layer.name,
                )

    def _register(self, node: Node, values: dict[int, Any]) -> list[tuple[str, str]]:
        """The layer's parameters as this module's; where each is (module, word)."""
        places = []
        owners: dict[int, tuple[str, str]] = self.__dict__.setdefault("_owners", {})
        layer, count = node.layer, len(node.params)
        for param in node.params:
            if id(param.owner) in owners:
                places.append(owners[id(param.owner)])
                continue
            place = (parameter_names.module_name(layer.name), parameter_names.word(layer.type, param.index, count))
            child = self._child(place[0])
            tensor = values[id(param.blob)].tensor.detach().clone()
            learns = not (param.spec.HasField("lr_mult") and param.spec.lr_mult == 0)
            if layer.type in STATISTICS and not learns:
                child.register_buffer(place[1], tensor)
            else:
                child.register_parameter(place[1], torch.nn.Parameter(tensor, requires_grad=learns))
            owners[id(param)] = place
            places.append(place)
        for blob in layer.blobs:  # the twin's own are not used: their memory goes
            blob.tensor = torch.zeros((), device=blob.tensor.device).expand(blob.shape)
        return places

    def _child(self, name: str) -> torch.nn.Module:
        if name not in self._modules:
            self.add_module(name, torch.nn.Module())
        return self._modules[name]  # type: ignore[return-value]

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> torch.Tensor | dict[str, torch.Tensor]:
        """The net's outputs for these inputs."""
        given = dict(zip(self.inputs, inputs, strict=False)) | named
        if len(inputs) > len(self.inputs) or set(given) != set(self.inputs):
            raise UsageError(
                f"{len(inputs)} inputs and {sorted(named)} were given, the net takes {self.inputs}."
                " Give each of them once."
            )
        now: dict[int, torch.Tensor] = {self._names.index(name): value for name, value in given.items()}
        for node, places in zip(self._nodes, self._places, strict=True):
            bottoms = [now[index] for index in node.bottom_ids]
            tops = self._run(node.layer, [self._at(*place) for place in places], bottoms)
            now.update(zip(node.top_ids, tops, strict=False))
        found = {name: now[self._names.index(name)] for name in self.outputs}
        return found if len(found) > 1 else next(iter(found.values()))

    def _at(self, module: str, word: str) -> torch.Tensor:
        return getattr(self._modules[module], word)

    def _run(self, layer: NativeLayer, params: list[torch.Tensor], bottoms: list[torch.Tensor]) -> list[torch.Tensor]:
        if layer.type == "Parameter":
            return params
        assert isinstance(layer, TorchLayer)
        if layer.type == "Dropout" and self.training:
            return [F.dropout(bottoms[0], layer.ratio)]  # type: ignore[attr-defined]
        layer.top_shapes(*(tuple(x.shape) for x in bottoms))
        layer.weight = lambda index=0: _Given(layer.tensors[index])  # type: ignore[assignment, method-assign, return-value]
        layer._before = []  # type: ignore[attr-defined]  # a recurrent layer's state
        layer.tensors = [p.reshape(blob.shape) for p, blob in zip(params, layer.blobs, strict=True)]
        try:
            tops = layer.compute(*layer._cast(bottoms))
        finally:
            layer.tensors = []
        return [tops] if isinstance(tops, torch.Tensor) else list(tops)

    def copy_to(self, net: Net) -> None:
        """Write the parameters into a net of the same layers. Raises WeightsError where shapes differ."""
        arrays = {name: values.detach().cpu().float().numpy() for name, values in self.state_dict().items()}
        with net.lock:
            copy_layers(net.nodes, net.name, safetensors.by_layer(arrays, "the module"), "the module")


def to_module(net: Net) -> NetModule:
    """The net as a torch.nn.Module with a copy of its parameters: see NetModule."""
    return NetModule(net)


def _message(net: Net) -> Any:
    """What the net was built from, with the sizes that its inputs have now."""
    message = net.to_message()
    message.state.phase = net.phase
    for node, layer in zip(net.nodes, message.layer, strict=True):
        if layer.type == "Input":
            del layer.input_param.shape[:]
            for blob in node.top:
                layer.input_param.shape.add(dim=blob.shape)
    return message


@contextmanager
def plainly() -> Iterator[None]:
    """While this lasts, layers compute by torch's own functions alone, in all threads."""
    before, switches.PLAIN = switches.PLAIN, True
    try:
        yield
    finally:
        switches.PLAIN = before
