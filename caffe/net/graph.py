"""From a NetParameter to connected layers and blobs: the first half of Net::Init (src/caffe/net.cpp)."""

from dataclasses import dataclass, field

import torch

from caffe import dialect, forks, layer_types, limits, registration
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import NativeLayer, create
from caffe.log import log
from caffe.net import dialects, gradients
from caffe.proto import caffe_pb2
from caffe.shapes import shape_string, shape_text


@dataclass
class Node:
    """A layer in its net: its blobs by number and what backward does with it."""

    layer: NativeLayer
    bottom_ids: list[int] = field(default_factory=list)
    top_ids: list[int] = field(default_factory=list)
    bottom: list[Blob] = field(default_factory=list)
    top: list[Blob] = field(default_factory=list)
    loss_weights: list[float] = field(default_factory=list)
    seeded_counts: list[int] = field(default_factory=list)
    params: list["Param"] = field(default_factory=list)
    learns: list[bool] = field(default_factory=list)
    runs_backward: bool = False


@dataclass
class Param:
    """One parameter blob of one layer; `owner` is the parameter whose memory it shares (itself if its own)."""

    blob: Blob
    node: Node
    index: int
    name: str
    spec: caffe_pb2.ParamSpec
    owner: "Param" = field(init=False)

    def __post_init__(self) -> None:
        self.owner = self

    @property
    def display_name(self) -> str:
        return self.name or str(self.index)


@dataclass
class Learnable:
    """A parameter that the solver updates, with its multipliers (None: not said, counts as 1)."""

    blob: Blob
    lr_mult: float | None
    decay_mult: float | None


class Graph:
    """Layers, blobs and parameters of a net that was filtered and given its splits."""

    def __init__(self, param: caffe_pb2.NetParameter):
        self.nodes: list[Node] = []
        self.blobs: list[Blob] = []
        self.blob_names: list[str] = []
        self.input_ids: list[int] = []
        self.params: list[Param] = []
        self.learnable: dict[int, Learnable] = {}
        """By the `id` of the owning Param, in the order of the net."""
        self._owners: dict[str, Param] = {}
        self._available: set[str] = set()
        self._number_of: dict[str, int] = {}
        layer_types.load()
        forks.load()
        registration.load_added()
        dialects.check(param)
        self._dialects = dialect.chosen(param.dialect, param.name)
        for layer_param in param.layer:
            self._add_layer(layer_param, param.state.phase)
        self.output_ids = [self._number_of[name] for name in sorted(self._available)]
        for name in sorted(self._available):
            log.info("This network produces output %s", name)
        self._plan_backward(force_backward=param.force_backward)

    def _add_layer(self, layer_param: caffe_pb2.LayerParameter, phase: int) -> None:
        if not layer_param.HasField("phase"):
            layer_param.phase = phase
        if len(layer_param.propagate_down) not in (0, len(layer_param.bottom)):
            raise NetError(
                f"layer '{layer_param.name}': {len(layer_param.propagate_down)} propagate_down values for "
                f"{len(layer_param.bottom)} bottoms: propagate_down param must be specified "
                "either 0 or bottom_size times."
                " Correct propagate_down.",
                layer=layer_param.name,
                found=len(layer_param.propagate_down),
                expected=(0, len(layer_param.bottom)),
            )
        declared = [spec.lr_mult != 0 for spec in layer_param.param]
        node = Node(create(layer_param, self._dialects))
        log.info("Creating Layer %s", layer_param.name)
        self.nodes.append(node)
        for index in range(len(layer_param.bottom)):
            self._append_bottom(node, index)
        for index in range(len(layer_param.top)):
            self._append_top(node, index)
        self._append_automatic_tops(node)
        self._set_up(node)
        self._append_params(node)
        # As in Caffe, a layer that takes its parameters from the solver (BatchNorm) still counts as one that learns.
        node.learns = declared + [True] * (len(node.params) - len(declared))

    def _append_bottom(self, node: Node, index: int) -> None:
        name, layer = node.layer.layer_param.bottom[index], node.layer
        if name not in self._available:
            raise NetError(
                f"Unknown bottom blob '{name}' (layer '{layer.name}', bottom index {index}). Blobs that layers "
                f"before it produce and nothing has used yet: {', '.join(sorted(self._available)) or 'none'}.",
                layer=layer.name,
                found=name,
                expected=sorted(self._available),
            )
        self._available.remove(name)
        log.info("%s <- %s", layer.name, name)
        node.bottom_ids.append(self._number_of[name])
        node.bottom.append(self.blobs[node.bottom_ids[-1]])

    def _append_top(self, node: Node, index: int) -> None:
        layer_param = node.layer.layer_param
        name = layer_param.top[index]
        in_place = index < len(layer_param.bottom) and layer_param.bottom[index] == name
        if in_place:
            log.info("%s -> %s (in-place)", layer_param.name, name)
            node.layer.in_place = True
        elif name in self._number_of:
            raise NetError(
                f"layer '{layer_param.name}': Top blob '{name}' produced by multiple sources. Rename one of them, "
                "or make the layer's bottom and top the same blob (in place).",
                layer=layer_param.name,
                found=name,
                remedy="Rename one of the tops, or make the layer's bottom and top the same blob.",
            )
        else:
            log.info("%s -> %s", layer_param.name, name)
            self._number_of[name] = self._new_blob(name)
            if node.layer.traits.fed_by_user:
                self.input_ids.append(self._number_of[name])
        self._available.add(name)
        node.top_ids.append(self._number_of[name])
        node.top.append(self.blobs[node.top_ids[-1]])

    def _append_automatic_tops(self, node: Node) -> None:
        """A loss layer may leave its top unnamed (AutoTopBlobs)."""
        least = node.layer.tops if isinstance(node.layer.tops, int) else node.layer.tops[0]
        while node.layer.loss and len(node.top) < least:
            node.top_ids.append(self._new_blob("(automatic)"))
            node.top.append(self.blobs[-1])

    def _new_blob(self, name: str) -> int:
        self.blobs.append(Blob())
        self.blob_names.append(name)
        return len(self.blobs) - 1

    def _set_up(self, node: Node) -> None:
        layer = node.layer
        layer.check_blob_counts(node.bottom, node.top)
        if len(layer.layer_param.loss_weight) not in (0, len(node.top)):
            raise NetError(
                f"{layer}: {len(layer.layer_param.loss_weight)} loss weights for {len(node.top)} tops: loss_weight "
                "must be unspecified or specified once per top blob."
                " Correct loss_weight.",
                layer=layer.name,
                found=len(layer.layer_param.loss_weight),
                expected=(0, len(node.top)),
            )
        limits.check_settings(layer.layer_param, str(layer))
        with limits.named(str(layer), layer.name):
            layer.setup(node.bottom, node.top)
            layer.reshape(node.bottom, node.top)
        log.info("Setting up %s", layer.name)
        node.loss_weights = [layer.loss_weight(index) for index in range(len(node.top))]
        reseed_loss(node)
        for blob, weight in zip(node.top, node.loss_weights, strict=True):
            log.info("Top shape: %s", shape_string(blob.shape))
            if weight:
                log.info("    with loss weight %g", weight)

    def _append_params(self, node: Node) -> None:
        layer_param, blobs = node.layer.layer_param, node.layer.blobs
        if len(layer_param.param) > len(blobs):
            raise NetError(
                f"Too many params specified for layer {layer_param.name}: {len(layer_param.param)} `param` messages, "
                f"the layer has {len(blobs)} parameters. Remove the surplus.",
                layer=layer_param.name,
                found=len(layer_param.param),
                expected=len(blobs),
                remedy="Remove the surplus `param` messages.",
            )
        for index, blob in enumerate(blobs):
            spec = layer_param.param[index] if index < len(layer_param.param) else caffe_pb2.ParamSpec()
            param = Param(blob, node, index, spec.name, spec)
            node.params.append(param)
            self.params.append(param)
            if spec.name in self._owners and spec.name:
                self._share(param, self._owners[spec.name])
            else:
                self._owners[spec.name] = param
                self.learnable[id(param)] = Learnable(
                    blob,
                    spec.lr_mult if spec.HasField("lr_mult") else None,
                    spec.decay_mult if spec.HasField("decay_mult") else None,
                )

    def _share(self, param: Param, owner: Param) -> None:
        log.info(
            "Sharing parameters '%s' owned by layer '%s', param index %d",
            param.name,
            owner.node.layer.name,
            owner.index,
        )
        permissive = param.spec.share_mode == caffe_pb2.ParamSpec.PERMISSIVE
        fits = param.blob.count == owner.blob.count if permissive else param.blob.shape == owner.blob.shape
        if not fits:
            raise ShapeError(
                f"Cannot share param '{param.name}' owned by layer '{owner.node.layer.name}' with layer "
                f"'{param.node.layer.name}'; {'count' if permissive else 'shape'} mismatch.  Owner layer param "
                f"shape is {shape_text(owner.blob.shape)}; sharing layer "
                f"{'shape is' if permissive else 'expects shape'} {shape_text(param.blob.shape)}",
                layer=param.node.layer.name,
                found=owner.blob.shape,
                expected=param.blob.shape,
            )
        param.owner = owner
        param.blob.share_data(owner.blob)
        param.blob.share_diff(owner.blob)
        learnable = self.learnable[id(owner)]
        for field_name in ("lr_mult", "decay_mult"):
            if not param.spec.HasField(field_name):
                continue
            wanted, present = getattr(param.spec, field_name), getattr(learnable, field_name)
            if present is not None and present != wanted:
                raise NetError(
                    f"Shared param '{param.name}' has mismatched {field_name}. It is {present} in layer "
                    f"'{owner.node.layer.name}' and {wanted} in layer '{param.node.layer.name}': make them equal.",
                    layer=param.node.layer.name,
                    found=wanted,
                    expected=present,
                    remedy=f"Make {field_name} equal in both layers.",
                )
            setattr(learnable, field_name, wanted)

    def _plan_backward(self, *, force_backward: bool) -> None:
        facts = [
            gradients.LayerFacts(
                bottoms=node.bottom_ids,
                tops=node.top_ids,
                learns=node.learns,
                contributes_loss=any(node.loss_weights),
                forced_bottoms=[node.layer.allow_force_backward(index) for index in range(len(node.bottom))],
                propagate_down=node.layer.layer_param.propagate_down,
            )
            for node in self.nodes
        ]
        for node, planned in zip(self.nodes, gradients.plan(facts, force_backward=force_backward), strict=True):
            layer = node.layer
            node.runs_backward = planned.runs
            layer.propagate_down, layer.param_propagate_down = planned.bottoms, planned.params
            training = layer.phase == caffe_pb2.TRAIN or force_backward or layer.in_place
            layer.prepares_backward = planned.runs and training and layer.traits.needs_record
            verb = "needs" if planned.runs else "does not need"
            log.info("%s %s backward computation.", layer.name, verb)


def last_uses(graph: Graph) -> dict[int, list[str]]:
    """Index of a node → the names of the blobs that no later one takes.

    Neither of inputs nor of outputs, nor of tops that their layer may have filled once and for all, as DummyData does
    with constants, and as a Python layer may.
    """
    last: dict[int, int] = {}
    lasting = {*graph.input_ids, *graph.output_ids}
    for index, node in enumerate(graph.nodes):
        last.update(dict.fromkeys((*node.bottom_ids, *node.top_ids), index))
        if not (node.layer.traits.replaces_tops or node.layer.in_place):
            lasting.update(node.top_ids)
    uses: dict[int, list[str]] = {}
    for number, index in last.items():
        if number not in lasting:
            uses.setdefault(index, []).append(graph.blob_names[number])
    return uses


def reseed_loss(node: Node) -> None:
    """The diff of a top with a loss weight is that weight: the start of backward (Layer::SetLossWeights).

    A user may write another diff there, which stays until the top changes its size.
    """
    counts = [blob.count for blob in node.top]
    if counts == node.seeded_counts:
        return
    node.seeded_counts = counts
    for blob, weight in zip(node.top, node.loss_weights, strict=True):
        if weight:
            blob.grad = torch.full_like(blob.grad, weight)
