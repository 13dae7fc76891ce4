"""Writes caffe_pb2.py and caffe_pb2.pyi from three schemas: `python -m caffe.proto.generate [--check]`.

caffe.proto is BVLC Caffe's; forks.proto holds what forks add to its messages, and messages of their own, as the layers
here read them; more_forks.proto what else forks have, so that their nets are read.
Needs grpcio-tools.
"""

import argparse
import difflib
import re
import sys
import tempfile
import textwrap
from base64 import b64encode
from pathlib import Path
from typing import Any
from zlib import compress

HERE = Path(__file__).parent
STUB_HEAD = """\
# Types of caffe_pb2.py, for type checkers.
# Generated from caffe.proto, forks.proto and more_forks.proto by `python -m caffe.proto.generate`: do not edit.

"""

TEMPLATE = '''\
"""Caffe's protobuf messages.

Generated from caffe.proto, forks.proto and more_forks.proto by `python -m caffe.proto.generate`: do not edit.

The schema lives in a private descriptor pool, so that this module can share a process with OpenCV, BVLC Caffe or
any other library that brings its own caffe.proto, and works with every protobuf release from 3.20 on.
"""

from base64 import b64decode
from typing import Any
from zlib import decompress

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

_SCHEMA = """
{schema}
"""

FORKS = frozenset(
    """
{forks}
""".split()
)
"""What BVLC Caffe does not know: messages, fields as Message.field, values of enums as Message.Enum.VALUE."""


def _message_classes() -> tuple[Any, dict[str, Any]]:
    """Name → class of every message, and name → wrapper of every top-level enum."""
    pool = descriptor_pool.DescriptorPool()
    schema = descriptor_pb2.FileDescriptorProto.FromString(decompress(b64decode(_SCHEMA)))
    pool.Add(schema)
    factory: Any = message_factory
    modern = hasattr(factory, "GetMessageClass")
    class_of = factory.GetMessageClass if modern else factory.MessageFactory(pool).GetPrototype
    file = pool.FindFileByName(schema.name)
    names = {{name: class_of(message) for name, message in file.message_types_by_name.items()}}
    for cls in names.values():
        cls.__module__ = __name__
    for name, enum in file.enum_types_by_name.items():
        names[name] = EnumTypeWrapper(enum)
        names.update({{value.name: value.number for value in enum.values}})
    return file, names


DESCRIPTOR, _names = _message_classes()
globals().update(_names)
__all__ = sorted(_names)
'''


def render() -> dict[str, str]:
    """The names and texts of the files."""
    bvlc, *forks = _descriptors("caffe.proto", "forks.proto", "more_forks.proto")
    added = [name for each in forks for name in merge(bvlc, each)]
    text = b64encode(compress(bvlc.SerializeToString(), 9)).decode()
    module = TEMPLATE.format(
        schema="\n".join(textwrap.wrap(text, 118)),
        forks=textwrap.indent(textwrap.fill(" ".join(sorted(added)), 110, break_on_hyphens=False), " " * 4),
    )
    return {"caffe_pb2.py": module, "caffe_pb2.pyi": STUB_HEAD + stub(bvlc)}


def stub(file: Any) -> str:
    """The types of a file's messages (its FileDescriptorProto), as protoc writes them; values of enums are int."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    with tempfile.TemporaryDirectory() as folder:
        schema = Path(folder) / "schema"
        schema.write_bytes(FileDescriptorSet(file=[file]).SerializeToString())
        _protoc(f"--descriptor_set_in={schema}", f"--pyi_out={folder}", file.name)
        (written,) = Path(folder).glob("*.pyi")
        text = written.read_text()
    enums = [enum.name for enum in file.enum_type]
    enums += [f"{message.name}.{enum.name}" for message in file.message_type for enum in message.enum_type]
    value = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, enums))})\b(?!\()")
    typed = value.sub("int", text).replace("**kwargs)", "**kwargs: object)")  # of fields that Python has a keyword for
    typed = re.sub(
        r"^ +(None|True|False): .*\n", "", typed, flags=re.MULTILINE
    )  # values of enums that Python cannot name
    return typed + "\nFORKS: frozenset[str]\n"


def _descriptors(*names: str) -> Any:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder) / "caffe.desc"
        _protoc(f"-I{HERE}", f"--descriptor_set_out={descriptors}", *(str(HERE / name) for name in names))
        return FileDescriptorSet.FromString(descriptors.read_bytes()).file


def _protoc(*arguments: str) -> None:
    from grpc_tools import protoc

    if protoc.main(["protoc", *arguments]):
        raise SystemExit(f"protoc {' '.join(arguments)}: it fails (see above)")


def merge(bvlc: Any, forks: Any) -> list[str]:
    """Add what forks have to the schema of BVLC Caffe, in place; the names of what was added.

    Raises SystemExit for what would change a field of BVLC's, or is not optional.
    """
    messages = {message.name: message for message in bvlc.message_type}
    own = {message.name for message in forks.message_type} - set(messages)
    added = sorted(own)
    for message in forks.message_type:
        target = messages.get(message.name) or bvlc.message_type.add(name=message.name)
        added += _merge_enums(message, target, report=message.name not in own)
        numbers = {field.number for field in target.field} | {field.name for field in target.field}
        for field in message.field:
            if numbers & {field.number, field.name} or field.label == field.LABEL_REQUIRED:
                raise SystemExit(f"{forks.name}: {message.name}.{field.name} is there already, or is required")
            if field.type_name:
                field.type_name = re.sub(r"^\.caffe\.(forks|more)\.", ".caffe.", field.type_name)
            target.field.add().CopyFrom(field)
            if message.name not in own:
                added.append(f"{message.name}.{field.name}")
    return added


def _merge_enums(message: Any, target: Any, *, report: bool) -> list[str]:
    added = []
    enums = {enum.name: enum for enum in target.enum_type}
    for enum in message.enum_type:
        into = enums.get(enum.name) or target.enum_type.add(name=enum.name)
        into.value.extend(enum.value)
        added += [f"{message.name}.{enum.name}.{value.name}" for value in enum.value]
    return added if report else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the files are out of date")
    check = parser.parse_args().check
    outdated = []
    for name, new in render().items():
        file = HERE / name
        if not check:
            file.write_text(new)
            continue
        old = file.read_text() if file.exists() else ""
        if old != new:
            sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(file), "new"))
            outdated.append(name)
    if outdated:
        sys.exit(f"{' and '.join(outdated)}: out of date. Run `python -m caffe.proto.generate`.")


if __name__ == "__main__":
    main()
