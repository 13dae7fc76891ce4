"""Writes docs/layers.md, the catalogue of layer types, from the classes and their docstrings.

python -m tests.layer_catalogue             writes it
python -m tests.layer_catalogue --check     writes nothing: compares, and fails with a diff if it is out of date
"""

from __future__ import annotations

import argparse
import difflib
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
from tests.cases import all_cases

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "layers.md"
COMMAND = "python -m tests.layer_catalogue"

HEADER = f"""\
<!-- Generated from the classes in caffe/layer_types by `{COMMAND}`: do not edit. -->

# Layer types

The {{count}} layer types of Caffe, by family. N is the number of items in a batch, C of channels or classes, H and W
are height and width; Σ is a sum, Π a product. A setting that a type ignores may be given, and changes nothing. How the
engine differs from BVLC Caffe is in [differences.md](differences.md).
"""

MESSAGES_HEADER = """\
## Messages within settings

A setting whose type is a message is one of these, in braces: `weight_filler { type: "xavier" }`.
"""

WAITS_FOR_ARRAYS = "MemoryDataLayer needs to be initialized"
"""The refusal of a case whose net is right, but has no numbers yet."""

ENTRIES = {"bottom": "Bottoms", "top": "Tops", "blobs": "Parameters learned or kept", "parameters": "Settings"}
_ENTRY = re.compile(r"(bottom|top|blobs|parameters|restrictions|source): ")


def documented(cls: type[NativeLayer]) -> dict[str, str]:
    """What a type's docstring says: description, formula, and one entry for each of its keys.

    Where it says nothing of its bottoms or tops, what its base class says holds.
    """
    found: dict[str, str] = {}
    for each in cls.__mro__:
        if issubclass(each, NativeLayer) and each.__module__.startswith(layer_types.__name__):
            for key, text in _entries(inspect.cleandoc(each.__doc__ or "")).items():
                if each is cls or key in ("bottom", "top"):
                    found.setdefault(key, text)
    return found


def _entries(docstring: str) -> dict[str, str]:
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


def page() -> str:
    """The text of docs/layers.md."""
    layer_types.load()
    families: dict[str, list[str]] = {}
    for name, cls in REGISTRY.items():
        families.setdefault(cls.__module__.rpartition(".")[0], []).append(name)
    examples = _examples()
    lines = [HEADER.format(count=len(REGISTRY))]
    lines += [f"- {_title(module)}: {_links(families[module])}" for module in sorted(families)]
    for module in sorted(families):
        about, _, _ = (sys.modules[module].__doc__ or "").partition("\n\n")
        lines += ["", f"## {_title(module)}", "", " ".join(about.split())]
        for name in sorted(families[module]):
            lines += ["", *_section(REGISTRY[name], examples.get(name))]
    lines += ["", MESSAGES_HEADER.rstrip()]
    for descriptor in _messages_within():
        lines += ["", f"### {descriptor.name}", "", *_table(descriptor, {})]
    return "\n".join(lines) + "\n"


def _title(module: str) -> str:
    return f"{module.rpartition('.')[2].capitalize()} layers"


def _links(names: list[str]) -> str:
    return ", ".join(f"[{name}](#{name.lower()})" for name in sorted(names))


def _section(cls: type[NativeLayer], example: str | None) -> Iterator[str]:
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
    if example:
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


def _examples() -> dict[str, str]:
    """For each type a layer from the table of test cases: the first with settings and blobs, if there is one."""
    chosen: dict[str, Any] = {}
    for case in all_cases():
        builds = case.refused is None or case.refused.startswith(WAITS_FOR_ARRAYS)
        if not builds or re.search(r"\blayers\s*\{", case.text):
            continue
        net = prototxt.parse(case.text, caffe_pb2.NetParameter(), case.id)
        for layer in net.layer:
            if layer.type in REGISTRY and _shows(layer) > _shows(chosen.get(layer.type)):
                chosen[layer.type] = layer
    return {name: _as_text(layer) for name, layer in chosen.items()}


def _shows(layer: Any) -> int:
    if layer is None:
        return 0
    return 1 + bool(layer.bottom or layer.top) + any(layer.HasField(name) for name in settings_of(REGISTRY[layer.type]))


def _as_text(layer: Any) -> str:
    layer.name = layer.type.lower()
    for blobs in (layer.bottom, layer.top):
        if len(blobs) == 1:
            blobs[0] = blobs[0].removesuffix("0")
    net = caffe_pb2.NetParameter(layer=[layer])
    return text_format.MessageToString(net, as_utf8=True).rstrip()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail with a diff if it is out of date")
    check = parser.parse_args(arguments).check
    new = page()
    if not check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(new, encoding="utf-8")
        return 0
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if old != new:
        name = str(PAGE.relative_to(ROOT))
        sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, "new"))
        print(f"{name} is out of date: run `{COMMAND}`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
