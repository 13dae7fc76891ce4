"""Write a net for other programs: ONNX (.onnx), torch.export (.pt2), or its weights alone (.safetensors).

In an ONNX file batch, height and width are dynamic where the net allows it. First, ONNX Runtime's results are compared
with this engine's for inputs of several sizes; if they differ by more than 1e-4 of the largest value (1e-2 with
--fp16), nothing is written. The error names layers that cannot be exported; docs/export.md lists their types.

    caffe export deploy.prototxt net.caffemodel net.onnx
    caffe export -model deploy.prototxt -weights net.caffemodel -out net.onnx --classes names.txt --mean 104,117,123
    caffe export deploy.prototxt net.caffemodel net.onnx --input-size 500x500
    caffe export deploy.prototxt net.caffemodel net.pt2
    caffe export deploy.prototxt net.caffemodel net.safetensors
"""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path

from caffe.cli import brew, input_size
from caffe.errors import UsageError, WeightsError
from caffe.export import check, program, tensors
from caffe.export import model as onnx_model
from caffe.formats import weight_files
from caffe.formats.parameter_names import module_name
from caffe.net import Net
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

ONNX_OPTIONS = ("outputs", "opset", "fp16", "no_check", "classes", "mean", "channel_order")
COLOUR = re.compile(r"([\s,;]+\d{1,3}){3}$")
"""Three numbers after a name, as lists of classes have them."""
ENDINGS = (".onnx", ".pt2", ".safetensors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, text in (("model", "the net's prototxt"), ("weights", "its weights"), ("out", "the file to write")):
        parser.add_argument(f"{name}_file", metavar=name.upper(), nargs="?", help=f"{text}; or -{name}")
        parser.add_argument(f"-{name}", f"--{name}", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--outputs", default="", metavar="BLOBS", help="blobs to give, separated by ',' (default: all)")
    input_size.add_flag(parser, "fix all sizes, the image's to this (default: free where the net allows it)")
    parser.add_argument("--opset", type=int, metavar="N", help="ONNX's opset, 13 to 22 (default: 17)")
    parser.add_argument("--fp16", action="store_true", help="numbers of 16 bits inside; inputs and outputs stay 32")
    parser.add_argument("--no-check", action="store_true", help="do not run the file beside this engine")
    for name, text in (
        ("classes", "names of the classes for the metadata, separated by ',', or a file with one a line"),
        ("mean", "what is subtracted from images, for the metadata: a number for each channel, separated by ','"),
    ):
        parser.add_argument(f"--{name}", default="", metavar="LIST", help=text)
    parser.add_argument("--channel-order", default="", metavar="ORDER", help="for the metadata (default: BGR)")


def run(arguments: argparse.Namespace) -> int:
    model, weights, out = (_file(arguments, name) for name in ("model", "weights", "out"))
    ending = Path(out).suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"export: '{out}' ends in '{ending}', expected one of {', '.join(ENDINGS)}. Rename it.")
    for name, path in (("model", model), ("weights", weights)):
        if os.path.exists(out) and os.path.exists(path) and os.path.samefile(out, path):
            raise UsageError(f"export: '{out}' is the {name} itself. Name another file to write.")
    _check_options(arguments, ending)
    brew.find_python_layers(model)
    net = Net(model, caffe_pb2.TEST, weights=weights)
    _check_weights(net, weights)
    input_size.apply(net, arguments.input_size)
    if ending == ".onnx":
        _onnx(net, arguments, lambda: Net(model, caffe_pb2.TEST, weights=weights), out)
    elif ending == ".pt2":
        print(program.write(net, out))
    else:
        print(f"{out}: {tensors.write(net, out)} tensors")
    return 0


def _onnx(net: Net, arguments: argparse.Namespace, fresh: Callable[[], Net], out: str) -> None:
    opset = onnx_model.USUAL if arguments.opset is None else arguments.opset
    found = onnx_model.exported(
        net,
        outputs=[name for name in arguments.outputs.split(",") if name],
        fixed=arguments.input_size is not None,
        opset=opset,
        half=arguments.fp16,
    )
    classes, mean = _names(arguments.classes), _numbers(arguments.mean)
    _check_metadata(net, found, classes, mean)
    properties = onnx_model.metadata(classes=classes, mean=mean, channel_order=arguments.channel_order or "BGR")
    message = onnx_model.to_message(found, properties)
    if not arguments.no_check:
        limit = check.HALF_LIMIT if arguments.fp16 else check.LIMIT
        for each in check.differences(message.SerializeToString(), net, found, fresh):
            print(check.described(each), flush=True)
            check.require(each, limit)
    onnx_model.write(message, out)
    print(f"{out}: {onnx_model.described(found)}, opset {opset}, {message.ByteSize() / 1e6:,.1f} MB")


def _file(arguments: argparse.Namespace, name: str) -> str:
    placed, flag = getattr(arguments, f"{name}_file"), getattr(arguments, name)
    if (placed is None) == (flag is None):
        raise UsageError(
            f"export: {'no' if flag is None else 'two'} {name}, expected caffe export MODEL WEIGHTS OUT, or -model, "
            "-weights and -out."
            " Correct the call."
        )
    return str(placed or flag)


def _check_weights(net: Net, file: str) -> None:
    """Refuse a net whose layers would be written with the values of their fillers."""
    given = {layer.name for layer in weight_files.read(file) if any(blob is not None for blob in layer.blobs)}
    given |= {name for name in net.params if module_name(name) in given}
    types = {node.layer.name: node.layer for node in net.nodes}
    without = [name for name in net.params if name not in given and not _is_filled(types[name].layer_param)]
    if without:
        raise WeightsError(
            f"'{file}' has no weights for {len(without)} of the {len(net.params)} layers with some "
            f"({', '.join(without[:8])}), expected the weights of this very net. Layers find theirs by name."
        )


def _is_filled(layer_param: caffe_pb2.LayerParameter) -> bool:
    """Whether the prototxt itself says a layer's weights: a deconvolution that interpolates."""
    return layer_param.type == "Deconvolution" and layer_param.convolution_param.weight_filler.type == "bilinear"


def _check_options(arguments: argparse.Namespace, ending: str) -> None:
    """Refuse for other kinds of files what ONNX alone takes, instead of leaving it out silently."""
    given = [name for name in ONNX_OPTIONS if getattr(arguments, name) not in (None, "", False)]
    wrong = [f"--{name.replace('_', '-')}" for name in given]
    if wrong and ending != ".onnx":
        raise UsageError(f"export: {', '.join(wrong)}: for ONNX alone, and the file is a {ending}. Leave it out.")


def _check_metadata(net: Net, found: onnx_model.Exported, classes: list[str], mean: list[float]) -> None:
    """Refuse names and means of which there are not as many as the net has classes and channels."""
    shapes = {name: net.blobs[blob].shape for name, blob in found.blobs.items()}
    if classes and not any(len(shape) > 1 and shape[1] == len(classes) for shape in shapes.values()):
        listed = ", ".join(f"{name} {shape_text(shape)}" for name, shape in shapes.items())
        raise UsageError(
            f"export: --classes has {len(classes)} name(s), such as {classes[0][:40]!r}, expected one for each channel "
            f"of an output ({listed}). Correct it; of a file, its path."
        )
    channels = {shape[1] for shape in found.input_shapes.values() if len(shape) > 1}
    if mean and len(mean) not in {1, *channels}:
        raise UsageError(
            f"export: --mean has {len(mean)} number(s), expected one for each of "
            f"{', '.join(map(str, sorted(channels)))} channels. Correct it."
        )


def _names(text: str) -> list[str]:
    """Names separated by commas, or those in a file: one a line, perhaps with a colour, which is left out, as is then a
    class `void`."""
    if not os.path.isfile(text):
        return [name.strip() for name in text.split(",") if name.strip()]
    try:
        lines = [line.strip() for line in Path(text).read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise UsageError(
            f"export: --classes '{text}' is not text in UTF-8 ({error.reason}). Save it as that."
        ) from error
    found = [(COLOUR.sub("", line), COLOUR.search(line) is not None) for line in lines if line]
    return [name for name, coloured in found if not (coloured and name.lower() == "void")]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(f"--mean {text}: expected numbers, such as 104,117,123. Correct it.") from error
