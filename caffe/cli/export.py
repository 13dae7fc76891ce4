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

ENDINGS = (".onnx", ".pt2", ".safetensors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, text in (("model", "the net's prototxt"), ("weights", "its weights"), ("out", "the file to write")):
        parser.add_argument(f"{name}_file", metavar=name.upper(), nargs="?", help=f"{text}; or -{name}")
        parser.add_argument(f"-{name}", f"--{name}", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--outputs", default="", metavar="BLOBS", help="blobs to give, separated by ',' (default: all)")
    input_size.add_flag(parser, "fix all sizes, the image's to this (default: free where the net allows it)")
    parser.add_argument("--opset", type=int, default=17, metavar="N", help="ONNX's opset, 13 to 22 (default: 17)")
    parser.add_argument("--fp16", action="store_true", help="numbers of 16 bits inside; inputs and outputs stay 32")
    parser.add_argument("--no-check", action="store_true", help="do not run the file beside this engine")
    for name, text in (
        ("classes", "names of the classes for the metadata, separated by ',', or a file with one a line"),
        ("mean", "what is subtracted from images, for the metadata: a number for each channel, separated by ','"),
    ):
        parser.add_argument(f"--{name}", default="", metavar="LIST", help=text)
    parser.add_argument("--channel-order", default="BGR", metavar="ORDER", help="for the metadata (default: BGR)")


def run(arguments: argparse.Namespace) -> int:
    model, weights, out = (_file(arguments, name) for name in ("model", "weights", "out"))
    ending = Path(out).suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"export: '{out}' ends in '{ending}', expected one of {', '.join(ENDINGS)}. Rename it.")
    for name, path in (("model", model), ("weights", weights)):
        if os.path.exists(out) and os.path.exists(path) and os.path.samefile(out, path):
            raise UsageError(f"export: '{out}' is the {name} itself. Name another file to write.")
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
    found = onnx_model.exported(
        net,
        outputs=[name for name in arguments.outputs.split(",") if name],
        fixed=arguments.input_size is not None,
        opset=arguments.opset,
        half=arguments.fp16,
    )
    properties = onnx_model.metadata(
        classes=_names(arguments.classes), mean=_numbers(arguments.mean), channel_order=arguments.channel_order
    )
    message = onnx_model.to_message(found, properties)
    if not arguments.no_check:
        limit = check.HALF_LIMIT if arguments.fp16 else check.LIMIT
        for each in check.differences(message.SerializeToString(), net, found, fresh):
            print(check.told(each), flush=True)
            check.require(each, limit)
    onnx_model.write(message, out)
    print(f"{out}: {onnx_model.told(found)}, opset {arguments.opset}, {message.ByteSize() / 1e6:,.1f} MB")


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


def _names(text: str) -> list[str]:
    if os.path.isfile(text):
        return [line.strip() for line in Path(text).read_text(encoding="utf-8").splitlines() if line.strip()]
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(f"--mean {text}: expected numbers, such as 104,117,123. Correct it.") from error
