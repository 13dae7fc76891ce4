"""One case: a layer (or a small net) on drawn inputs. See `tests.cases` for how to write one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cases.draw import draw, generator

FORWARD_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
NO_BACKWARD = {"Accuracy", "ArgMax", "Threshold"}


@dataclass(frozen=True)
class Case:
    id: str
    text: str  # the net, without force_backward
    type: str = ""  # the layer under test; "" for a whole net
    shapes: dict = field(default_factory=dict)  # input blob → shape
    kinds: dict = field(default_factory=dict)  # input blob → kind, default "normal"
    params: dict = field(default_factory=dict)  # layer → list of kinds, default "weights"
    before: dict = field(default_factory=dict)  # input blob → the shape it was built with, and first run with
    phase: str = "TRAIN"
    level: int = 0
    stages: tuple = ()
    force_backward: bool = True
    backward: bool = True
    smooth: bool = True
    forwards: int = 1
    in_place: bool = False
    refused: str | None = None
    random: bool = False
    files: Callable | None = field(default=None, compare=False)
    forward_tolerance: float = FORWARD_TOLERANCE
    gradient_tolerance: float = GRADIENT_TOLERANCE
    unlike: tuple = ()
    reason: str = ""

    def prototxt(self) -> str:
        return ("force_backward: true\n" if self.force_backward else "") + self.text

    def input(self, name: str, shape) -> object:
        return draw(self.kinds.get(name, "normal"), shape, generator(self.id, "input", name))

    def param(self, layer: str, index: int, layer_type: str, shape) -> object:
        """None for a parameter that keeps what its filler gave it."""
        kinds = self.params.get(layer) or PARAM_KINDS.get(layer_type) or ["weights"]
        kind = kinds[min(index, len(kinds) - 1)]
        return None if kind == "filled" else draw(kind, shape, generator(self.id, "param", layer, index))

    def diff(self, name: str, shape) -> object:
        return draw("normal", shape, generator(self.id, "diff", name))

    def fingerprint(self) -> str:
        """Changes when the case asks for other numbers: a recording with another fingerprint is stale."""
        usual = Case(id="", text="").to_dict()
        settings = {
            key: value for key, value in self.to_dict().items() if key not in _ONLY_JUDGEMENT and value != usual[key]
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for name, shape in self.shapes.items():
            digest.update(self.input(name, shape).tobytes())
        return digest.hexdigest()[:16]

    def to_dict(self) -> dict:
        """Everything but `files`, as JSON can carry it."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "files"}

    @staticmethod
    def from_dict(values: dict) -> Case:
        return Case(**values)


_ONLY_JUDGEMENT = ("forward_tolerance", "gradient_tolerance", "unlike", "reason", "smooth", "refused", "random")

# Parameter blobs that may not be just any number: variances and counts are positive.
PARAM_KINDS = {"BatchNorm": ["normal", "positive", "positive"]}


def case(
    type: str, body: str = "", *shapes, id: str = "", kinds="normal", params=None, tops: int = 1, **settings
) -> Case:
    """A case of one layer named "layer", with bottoms "bottom0", "bottom1"... and tops "top0", "top1"..."""
    bottoms = [f"bottom{i}" for i in range(len(shapes))]
    in_place = settings.get("in_place", False)
    top_names = [f"top{i}" for i in range(tops)]
    if in_place:
        top_names[0] = "bottom0"
    kinds = [kinds] * len(shapes) if isinstance(kinds, str) else list(kinds)
    if len(kinds) != len(shapes):
        raise ValueError(
            f"case {type} {body!r}: {len(kinds)} kinds for {len(shapes)} bottoms. Give one word, or one each"
        )
    id = id or _auto_id(type, body, shapes, kinds, params, tops, settings)
    before = dict(zip(bottoms, map(list, settings.pop("before", ())), strict=False))
    lines = [input_layer(name, before.get(name, shape)) for name, shape in zip(bottoms, shapes, strict=True)]
    lines.append(layer("layer", type, bottoms, top_names, body))
    return Case(
        id=id,
        text="\n".join(lines) + "\n",
        type=type,
        shapes=dict(zip(bottoms, map(list, shapes), strict=True)),
        kinds={name: kind for name, kind in zip(bottoms, kinds, strict=True) if kind != "normal"},
        params={"layer": [params] if isinstance(params, str) else list(params)} if params else {},
        before=before,
        **_checked(type, settings),
    )


def net_case(id: str, text: str, *, kinds=None, params=None, **settings) -> Case:
    """A case of a whole net. `kinds`: input blob → kind; `params`: layer name → list of kinds."""
    settings.setdefault("smooth", False)
    return Case(id=id, text=text, kinds=dict(kinds or {}), params=dict(params or {}), **_checked("", settings))


def layer(name: str, type: str, bottoms, tops, body: str = "") -> str:
    """One line of prototxt."""
    ends = [f'bottom: "{blob}"' for blob in bottoms] + [f'top: "{blob}"' for blob in tops]
    return " ".join([f'layer {{ name: "{name}" type: "{type}"', *ends, body.strip(), "}"])


def input_layer(name: str, shape) -> str:
    dims = " ".join(f"dim: {size}" for size in shape)
    return layer(name, "Input", [], [name], f"input_param {{ shape {{ {dims} }} }}")


def _checked(type: str, settings: dict) -> dict:
    settings = dict(settings)
    settings.setdefault("backward", type not in NO_BACKWARD)
    wider = (
        settings.get("forward_tolerance", 0) > FORWARD_TOLERANCE
        or settings.get("gradient_tolerance", 0) > GRADIENT_TOLERANCE
        or settings.get("unlike")
    )
    if wider and not settings.get("reason"):
        raise ValueError(f"case {type}: a wider tolerance, or `unlike`, needs reason='...'")
    for name in ("unlike", "stages"):
        if name in settings:
            settings[name] = tuple(settings[name])
    return settings


def _auto_id(type, body, shapes, kinds, params, tops, settings) -> str:
    """Short and readable: the type, the body without its message's name, the shapes, and what is not default."""
    body = re.sub(r"^\w+_param \{ (.*) \}$", r"\1", " ".join(body.split()))
    words = [type, body, *("x".join(map(str, shape)) or "scalar" for shape in shapes)]
    if any(kind != "normal" for kind in kinds):
        words.append(" ".join(kinds))
    if params:
        words.append("params " + (params if isinstance(params, str) else " ".join(params)))
    if settings.get("before"):
        words.append("before " + " ".join("x".join(map(str, shape)) for shape in settings["before"]))
    if tops != 1:
        words.append(f"{tops} tops")
    words += [f"{key}={settings[key]}" for key in ("phase", "in_place", "forwards", "backward") if key in settings]
    return ", ".join(filter(None, words))
