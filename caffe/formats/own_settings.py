"""Messages of settings that a program declares for layer types of its own, beside those of the schema.

A prototxt writes them as any other message. In a LayerParameter they are kept as text, in `unknown_fields`.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from caffe.errors import UsageError
from caffe.formats.unknown import top_level
from caffe.proto import caffe_pb2

DECLARED: dict[str, Any] = {}
"""Field of LayerParameter, such as "gain_param" → the class of its message."""

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {bool: _FIELD.TYPE_BOOL, int: _FIELD.TYPE_INT64, float: _FIELD.TYPE_DOUBLE, str: _FIELD.TYPE_STRING}


def declare(field: str, settings: dict[str, Any]) -> None:
    """Let prototxts write `field { … }` in a layer, with these settings.

    settings: name → default (a bool, an int, a float or a str); a list for a setting that may come several times, with
    one value in it, whose type counts. Raises UsageError for a field that the schema has, or of other kinds of values.
    """
    if field in caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name:
        raise UsageError(
            f"'{field}' is a field of Caffe's LayerParameter or of a fork's, expected a new name. Name a type's own "
            "settings otherwise, or read those by their name alone: settings='" + field + "'."
        )
    DECLARED[field] = _message_class(field, settings)


def of_layer(layer_param: caffe_pb2.LayerParameter, field: str) -> Any:
    """The settings of a layer: the message of this field, declared or of the schema."""
    if field not in DECLARED:
        return getattr(layer_param, field)
    message = DECLARED[field]()
    for name, value in top_level(layer_param.unknown_fields, caffe_pb2.LayerParameter.DESCRIPTOR):
        if name == field:
            text_format.Merge(value.strip()[1:-1], message)
    return message


def check(field: str, value: str) -> str | None:
    """What is wrong with the text `{ … }` of a declared field; None: nothing."""
    try:
        text_format.Parse(value.strip()[1:-1], DECLARED[field]())
    except text_format.ParseError as error:
        known = ", ".join(sorted(DECLARED[field].DESCRIPTOR.fields_by_name))
        return f"{str(error).partition(' : ')[2] or error} (its settings are {known})"
    return None


def _message_class(field: str, settings: dict[str, Any]) -> Any:
    name = "".join(word.capitalize() for word in field.removesuffix("_param").split("_")) + "Parameter"
    file = descriptor_pb2.FileDescriptorProto(name=f"{field}.proto", package="own", syntax="proto2")
    message = file.message_type.add(name=name)
    for number, (setting, default) in enumerate(settings.items(), start=1):
        several = isinstance(default, list)
        example = default[0] if several and len(default) == 1 else default
        if type(example) not in _TYPES:
            raise UsageError(
                f"settings of {field}: '{setting}' is {default!r}, expected a default that is a bool, an int, a float "
                "or a str, or a list of one such value. Correct it."
            )
        added = message.field.add(name=setting, number=number, type=_TYPES[type(example)])
        added.label = _FIELD.LABEL_REPEATED if several else _FIELD.LABEL_OPTIONAL
        if not several:
            added.default_value = str(default).lower() if isinstance(default, bool) else str(default)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName(f"own.{name}")
    factory: Any = message_factory
    if hasattr(factory, "GetMessageClass"):
        return factory.GetMessageClass(descriptor)
    return factory.MessageFactory(pool).GetPrototype(descriptor)
