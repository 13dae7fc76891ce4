"""docs/layers.md, the catalogue of layer types: from the classes, their docstrings, and layer_examples.prototxt."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from caffe import layer_types
from caffe.formats import prototxt
from caffe.layer_types.base import REGISTRY, NativeLayer
from caffe.proto import bvlc_fields, bvlc_values, caffe_pb2

PAGE = "docs/layers.md"
EXAMPLES = Path(__file__).with_name("layer_examples.prototxt")

HEADER = """\
<!-- Generated from the classes in caffe/layer_types by `python -m docs.generate`: do not edit. -->

# Layer types

The {count} layer types of Caffe, by BVLC's families. N is the number of items in a batch, C of channels or classes, H
and W are height and width; Σ is a sum, Π a product. A setting that a type ignores may be given, and changes nothing.
How the engine differs from BVLC Caffe is in [differences.md](differences.md).
"""

MESSAGES_HEADER = """\
## Messages within settings

A setting whose type is a message is one of these, in braces: `weight_filler { type: "xavier" }`.
"""

FAMILIES = ("vision", "neuron", "common", "normalization", "recurrent", "utility", "loss", "data")
"""In the order of the page; each is a folder of caffe/layer_types."""

ENTRIES = {"bottom": "Bottoms", "top": "Tops", "blobs": "Parameters learned or kept", "parameters": "Settings"}
_ENTRY = re.compile(r"(bottom|top|blobs|parameters|restrictions|source): ")


def documented(cls: type[NativeLayer]) -> dict[str, str]:
    """What a type's docstring says: description, formula, and one entry for each of its keys.

    Where it says nothing of its bottoms or tops, what its base class says holds.
    """
    found: dict[str, str] = {}
    for each in cls.__mro__:
        if issubclass(each, NativeLayer) and each.__module__.startswith(layer_types.__name__):
            for key, text in entries(inspect.cleandoc(each.__doc__ or "")).items():
                if each is cls or key in ("bottom", "top"):
                    found.setdefault(key, text)
    return found


def entries(docstring: str) -> dict[str, str]:
    description, _, rest = docstring.partition("\n\n")
    found = {"description": " ".join(description.split())}
    for line in re.sub(r"\n +", " ", rest.strip()).splitlines():
        match = _ENTRY.match(line)
        key, text = (match[1], line[match.end() :]) if match else ("formula", line)
        found[key] = f"{found[key]}\n{text}" if key in found else text
    return found


def settings_of(cls: type[NativeLayer]) -> tuple[str, ...]:
    """The fields of LayerParameter that a type reads."""
    return (cls.settings,) if isinstance(cls.settings, str) else tuple(cls.settings)


def ignored(cls: type[NativeLayer], message: str, field: str) -> str | None:
    """Why a type does not read a field of one of its messages; None: it does."""
    return cls.ignored.get(f"{message}.{field}", cls.ignored.get(field))


def text() -> str:
    """The text of docs/layers.md."""
    layer_types.load()
    families: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for name, cls in REGISTRY.items():
        families[cls.__module__.removeprefix(f"{layer_types.__name__}.").partition(".")[0]].append(name)
    shown = examples()
    lines = [HEADER.format(count=len(REGISTRY))]
    lines += [f"- {_title(family)}: {_links(names)}" for family, names in families.items()]
    for family, names in families.items():
        about, _, _ = (sys.modules[f"{layer_types.__name__}.{family}"].__doc__ or "").partition("\n\n")
        lines += ["", f"## {_title(family)}", "", " ".join(about.split())]
        for name in sorted(names):
            lines += ["", *_section(REGISTRY[name], text_format.MessageToString(shown[name], as_utf8=True).rstrip())]
    lines += ["", MESSAGES_HEADER.rstrip()]
    for descriptor in _messages_within():
        lines += ["", f"### {descriptor.name}", "", *_table(descriptor, {})]
    return "\n".join(lines) + "\n"


def _title(family: str) -> str:
    return f"{family.capitalize()} layers"


def _links(names: list[str]) -> str:
    return ", ".join(f"[{name}](#{name.lower()})" for name in sorted(names))


def _section(cls: type[NativeLayer], example: str) -> Iterator[str]:
    said = documented(cls)
    yield from (f"### {cls.__name__}", "", said["description"])
    if "formula" in said:
        yield from ("", "```text", *said["formula"].splitlines(), "```")
    yield ""
    counts = {"bottom": cls.bottoms, "top": cls.tops}
    for key, title in ENTRIES.items():
        if key in counts:
            text = f": {said[key]}" if key in said else ""
            yield f"- {title} ({_count(counts[key])}){text}"
        elif key in said:
            yield f"- {title}: {said[key]}"
    restrictions = list(_restrictions(cls, said))
    if restrictions:
        yield f"- Restrictions: {'; '.join(restrictions)}"
    yield f"- After Caffe's `{said['source']}`; here `{cls.__module__.replace('.', '/')}.py`"
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    for name in settings_of(cls):
        descriptor = fields[name].message_type
        reasons = {field.name: ignored(cls, name, field.name) for field in bvlc_fields(descriptor)}
        yield from ("", *_table(descriptor, reasons, title=f"`{name}`"))
    yield from ("", "```protobuf", *example.splitlines(), "```")


def _count(wanted: Any) -> str:
    low, high = (wanted, wanted) if isinstance(wanted, int) else wanted
    if high is None:
        return f"{low} or more" if low else "any number"
    if low == high:
        return str(low) if low else "none"
    return f"{low} or {high}" if high == low + 1 else f"{low} to {high}"


def _restrictions(cls: type[NativeLayer], said: dict[str, str]) -> Iterator[str]:
    if "restrictions" in said:
        yield said["restrictions"]
    if cls.equal_bottoms_and_tops:
        yield "as many tops as bottoms"
    if not getattr(cls, "differentiable", True):
        yield "backward is refused"
    if cls.no_gradient:
        yield "no gradient for bottom " + ", ".join(map(str, cls.no_gradient)) + ", counted from 0"
    if "refuse_in_place(" in inspect.getsource(cls.setup):
        yield "no top may be the bottom itself"
    if cls.loss:
        yield "its first top is a loss, with weight 1 unless loss_weight says otherwise"


def _table(descriptor: Any, reasons: dict[str, str | None], title: str = "field") -> Iterator[str]:
    note = any(reasons.values())
    yield f"| {title} | type | default |" + (" ignored, because |" if note else "")
    yield "| --- | --- | --- |" + (" --- |" if note else "")
    for field in sorted(bvlc_fields(descriptor), key=lambda each: each.number):
        row = f"| {field.name} | {_type(field)} | {_default(field)} |"
        yield row + (f" {reasons[field.name] or ''} |" if note else "")


def _type(field: Any) -> str:
    words = {field.TYPE_FLOAT: "number", field.TYPE_BOOL: "true or false", field.TYPE_STRING: "text"}
    if field.enum_type:
        name = ", ".join(value.name for value in bvlc_values(field.enum_type))
    elif field.message_type:
        name = f"[{field.message_type.name}](#{field.message_type.name.lower()})"
    else:
        name = words.get(field.type, "whole number" + (" ≥ 0" if field.type == field.TYPE_UINT32 else ""))
    return f"{name}; several" if _repeated(field) else name


def _repeated(field: Any) -> bool:
    found = getattr(field, "is_repeated", None)
    return field.label == field.LABEL_REPEATED if found is None else found


def _default(field: Any) -> str:
    if _repeated(field) or field.message_type or not field.has_default_value:
        return ""
    if field.enum_type:
        return field.enum_type.values_by_number[field.default_value].name
    if field.type == field.TYPE_BOOL:
        return str(field.default_value).lower()
    return f"`{field.default_value!r}`" if field.type == field.TYPE_STRING else f"{field.default_value:g}"


def _messages_within() -> list[Any]:
    """The messages that settings consist of, by name."""
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    waiting = [fields[name].message_type for cls in REGISTRY.values() for name in settings_of(cls)]
    found: dict[str, Any] = {}
    while waiting:
        inner = (field.message_type for field in bvlc_fields(waiting.pop()))
        within = {message.name: message for message in inner if message}
        waiting += [message for name, message in within.items() if name not in found]
        found.update(within)
    return [found[name] for name in sorted(found)]


def examples() -> dict[str, Any]:
    """A net of one layer for each type, from layer_examples.prototxt."""
    written = prototxt.parse(EXAMPLES.read_text(encoding="utf-8"), caffe_pb2.NetParameter(), str(EXAMPLES))
    return {layer.type: caffe_pb2.NetParameter(layer=[layer]) for layer in written.layer}
