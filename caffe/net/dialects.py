"""Types and fields of forks in a net: checked before it is built, so that one error names all problems.

A field of a fork is read by the layer type that it is for (READ), or changes nothing here (HARMLESS), or would change
results and is refused. A value that is the field's default changes nothing, whatever the field.
"""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe.errors import NetError
from caffe.formats.closest import closest
from caffe.layer_types.base import known_types, layer_class
from caffe.log import log
from caffe.net.fork_names import TYPES
from caffe.proto import caffe_pb2

READ = {
    "BatchNormParameter": ("scale_filler", "bias_filler", "scale_bias"),
    "DropoutParameter": ("scale_train", "sample_weights_test"),
    "LayerParameter": ("unknown_fields",),
    "NetParameter": ("dialect",),
    "PoolingParameter": ("ceil_mode", "torch_pooling"),
    "SolverParameter": ("dialect", "eval_type", "ap_version", "show_per_class_result"),
}
_SIDES = ("pad_l", "pad_r", "pad_t", "pad_b")
READ_BY_TYPE = {
    "BN": ("icnet",),
    "BatchNorm": ("add_eps_before_sqrt",),
    "Convolution": _SIDES,
    "Pooling": (*_SIDES, "pad_type", "pool: AVE_EXC_PAD", "pool: AVE_TF"),
    "ReLU": ("relu6",),
    "Reshape": ("pixelshuffler",),
    "AnnotatedData": ("resize_param", "distort_param", "expand_param", "emit_constraint", "noise_param"),
    "SmoothL1Loss": ("pre_fixed_normalizer", "normalization"),
    "SmoothL1LossOHEM": ("pre_fixed_normalizer", "normalization"),
    "SoftmaxWithLossOHEM": ("pre_fixed_normalizer", "normalization"),
    "SoftmaxWithLoss": ("weight_by_label_freqs", "class_weighting"),
    "ImageSegData": ("ignore_label", "label_type", "scale_factors", "crop_width", "crop_height", "crop_h", "crop_w"),
    "VideoData": ("resize_param", "new_length", "use_image", "use_temporal_jitter", "show_data"),
    "Convolution3D": ("kernel_depth", "temporal_stride", "temporal_pad", "filter_group"),
    "Pooling3D": ("kernel_depth", "temporal_stride", "temporal_pad"),
}
"""Fields of forks in messages of Caffe's own that one type reads, and no other; `field: VALUE`: one of its values."""
HARMLESS = {
    "BatchNormParameter": ("engine",),
    "ConcatParameter": ("engine",),
    "ConvolutionParameter": ("cudnn_convolution_algo_seeker", "cudnn_math_override", "conv_algos_override"),
    "DataParameter": ("threads", "parser_threads", "cache", "show_data", "verbose"),
    "DropoutParameter": ("engine",),
    "EltwiseParameter": ("engine",),
    "InnerProductParameter": ("engine",),
    "LayerParameter": (
        *("forward_type", "backward_type", "forward_math", "backward_math", "debug", "cudnn_math_override", "engine"),
        "reshape_every_iter",
    ),
    "NetParameter": (
        *("default_forward_type", "default_backward_type", "default_forward_math", "default_backward_math"),
        *("global_grad_scale", "global_grad_scale_adaptive", "default_cudnn_math_override"),
        *("default_conv_algos_override", "reduce_buckets", "engine", "mem_param", "eltwise_mem_sharing"),
    ),
    "SolverParameter": ("global_grad_scale",),
    "TransformationParameter": ("use_gpu_transform", "random_seed"),
}
"""Fields for precision, algorithms and threads, which change results only by rounding."""
_SHARED = ("transform_param", "loss_param")
"""Messages that more than one type reads."""
_ADD_IT = (
    "Correct `type` (caffe.layer_type_list() has BVLC's, docs/fork-layers.md those of forks), write it as a Python "
    "layer, or add it: docs/adding-a-layer.md."
)


def check(net: caffe_pb2.NetParameter) -> None:
    """Raise NetError for unknown layer types, and for fields that change results and are not read."""
    harmless: dict[str, None] = {}
    problems = list(_fields(net, f"net '{net.name}'", harmless))
    unknown = []
    for layer in net.layer:
        cls = layer_class(layer.type)
        owner = f"layer '{layer.name}' ({layer.type})"
        if cls is None:
            unknown.append(layer)
            continue
        problems += _fields(layer, owner, harmless)
        fields = READ_BY_TYPE.get(layer.type, ())
        read = (cls.settings,) if isinstance(cls.settings, str) else cls.settings
        for name in dict.fromkeys([*read, *_SHARED]):
            if name in layer.DESCRIPTOR.fields_by_name and layer.HasField(name):
                problems += _fields(getattr(layer, name), owner, harmless, f"{name}.", fields)
    if unknown:
        problems.append(_unknown_types(unknown))
    if problems:
        parts: dict[str, Any] = {}
        if unknown:
            types = [layer.type for layer in unknown]
            parts = {"layer": unknown[0].name, "found": types, "expected": known_types(), "remedy": _ADD_IT}
        raise NetError("\n".join(problems), **parts)
    if harmless:
        log.info("Fields of Caffe's forks that change nothing here: %s", ", ".join(harmless))


def scales(layer: caffe_pb2.LayerParameter) -> bool:
    """Whether a layer is NVIDIA Caffe's BatchNorm, with scale and bias."""
    param = layer.batch_norm_param
    return layer.type == "BatchNorm" and (
        param.scale_bias or param.HasField("scale_filler") or param.HasField("bias_filler")
    )


def check_solver(solver: caffe_pb2.SolverParameter) -> None:
    """Raise NetError for fields of a fork's solver that change results and are not read."""
    harmless: dict[str, None] = {}
    if problems := list(_fields(solver, "solver", harmless)):
        raise NetError("\n".join(problems))
    if harmless:
        log.info("Fields of Caffe's forks that change nothing here: %s", ", ".join(harmless))


def _fields(
    message: Message, owner: str, harmless: dict[str, None], place: str = "", read: Sequence[str] = ()
) -> list[str]:
    """What is wrong with a message's own fields, less those read; what changes nothing is added to `harmless`."""
    problems = []
    kind = message.DESCRIPTOR.name
    for field, value in message.ListFields():
        if f"{kind}.{field.name}" not in caffe_pb2.FORKS:
            if field.message_type is not None and place:
                for each in value if hasattr(value, "extend") else [value]:
                    problems += _fields(each, owner, harmless, f"{place}{field.name}.", read)
            wrong = None if field.name in read else _foreign_value(message, field, value)
            wrong = None if f"{field.name}: {wrong}" in read else wrong
        elif field.name.endswith("_param") and kind == "LayerParameter" or field.name in (*READ.get(kind, ()), *read):
            continue
        elif field.name in HARMLESS.get(kind, ()) or _is_default(field, value):
            harmless[place + field.name] = None
            continue
        else:
            wrong = " ".join(str(value).split())[:60] or "set"
        if wrong:
            problems.append(
                f"{owner}: {place}{field.name} is {wrong}: a fork of Caffe computes otherwise with it, which is not "
                "implemented here. Remove it if the results may differ, or run the net with that fork."
            )
    return problems


def _foreign_value(message: Message, field: FieldDescriptor, value: Any) -> str | None:
    """The value of an enum if only a fork has it, except for engines."""
    if field.enum_type is None or field.name == "engine" or hasattr(value, "extend"):
        return None
    name: str = field.enum_type.values_by_number[value].name
    return name if f"{message.DESCRIPTOR.name}.{field.enum_type.name}.{name}" in caffe_pb2.FORKS else None


def _is_default(field: FieldDescriptor, value: Any) -> bool:
    return field.message_type is None and not hasattr(value, "extend") and value == field.default_value


def _unknown_types(layers: list[caffe_pb2.LayerParameter]) -> str:
    """All layers of unknown types, with the fork that has the type, or the closest name."""
    lines = []
    for layer in layers:
        words = f"layer '{layer.name}': Unknown layer type: {layer.type}"
        if layer.type in TYPES:
            words += f" (of {TYPES[layer.type]}; not implemented here)"
        elif near := closest(layer.type, [*known_types(), *TYPES]):
            words += f". Did you mean '{near}'?"
        lines.append(words)
    return "\n".join([*lines, _ADD_IT])
