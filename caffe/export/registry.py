"""The converter of each layer type to ONNX; and the types without one, with the reason."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from caffe.errors import NetError
from caffe.export.onnx_graph import OnnxGraph, OnnxValue

Convert = Callable[[OnnxGraph, Any, list[OnnxValue], list[OnnxValue]], Sequence[str]]
"""(graph, layer, bottoms, tops with the shapes that they get) → the names of the tops."""

FAMILIES = (
    "convolution pooling neuron normalization linear shapes reduction recurrent classification segmentation detection "
    "flow"
)
TRAINING = "it is for training; name the blobs that you want with --outputs, or give the deploy net"
SCORES = "it scores a net; name the blobs that you want with --outputs, or give the deploy net"
WRITES = "it writes files, which a model cannot; read the blobs that it writes as outputs"
READS = "it reads data; give the net an Input layer in its place (a deploy net)"
UNWRITTEN = "nobody has written it in ONNX's operators here; cut the net before it with --outputs"
CRF = "it filters in a lattice, for which ONNX has no operators; name the scores before it with --outputs"
CANNOT = {
    "Accuracy": SCORES,
    "ContrastiveLoss": TRAINING,
    "EuclideanLoss": TRAINING,
    "HingeLoss": TRAINING,
    "InfogainLoss": TRAINING,
    "MultinomialLogisticLoss": TRAINING,
    "SigmoidCrossEntropyLoss": TRAINING,
    "SoftmaxWithLoss": TRAINING,
    "Data": READS,
    "DummyData": READS,
    "HDF5Data": READS,
    "ImageData": READS,
    "MemoryData": READS,
    "WindowData": READS,
    "HDF5Output": WRITES,
    "Python": "its function is a program of the user's; compute it outside of the model",
    **dict.fromkeys(
        ("BoxAnnotatorOHEM", "CenterLoss", "FocalLoss", "LabelSpecificAdd", "MultiBoxLoss", "SmoothL1Loss")
        + ("SmoothL1LossOHEM", "SoftmaxWithLossOHEM"),
        TRAINING,
    ),
    **dict.fromkeys(("DetectionEvaluate", "SegAccuracy"), SCORES),
    **dict.fromkeys(
        ("AnnotatedData", "DenseImageData", "ImageLabelmapData", "ImageSegData", "MatRead", "VideoData"), READS
    ),
    "MatWrite": WRITES,
    **dict.fromkeys(
        [
            "Accum",
            "Add",
            "BatchToSpaceND",
            "BoxGroupOutput",
            "BoxOutput",
            "Convolution3D",
            "Correlation",
            "DataAugmentation",
            "DecodeBBox",
            "DepthToSpace",
            "Downsample",
            "Flip",
            "FlowWarp",
            "ImResize",
            "Lstm",
            "MarginInnerProduct",
            "MaskPooling",
            "Maximum",
            "Mul",
            "Nms",
            "Pad",
            "PSROIPooling",
            "Pooling3D",
            "Proposal",
            "ROIAlign",
            "Resample",
            "ResizeBilinear",
            "ResizeNearestNeighbor",
            "Reverse",
            "ScaleRoute",
            "SpaceToBatchND",
            "Squeeze",
            "Switch",
            "Transpose",
            "UnPooling",
            "UpsampleDarknet",
            "YoloDetectionOutput",
            "Yolov3DetectionOutput",
        ],
        UNWRITTEN,
    ),
    "DenseCRF": CRF,
    "MultiStageMeanfield": CRF,
}
"""Types that cannot be exported, and what to do."""
BY_SETTINGS = dict.fromkeys(
    ("DarknetsBatchNorm", "GridROIAlign", "PixelShuffler", "SidedConvolution", "SidedPooling"), UNWRITTEN
)
"""The same of classes that a type means where its settings tell so."""


class NotExportable(NetError):
    """A layer that ONNX cannot express; the message is the reason alone."""


class NeedsFixedSizes(Exception):
    """A layer whose settings are right for the present sizes alone, although its shapes do not show it."""


class Converter(NamedTuple):
    convert: Convert
    fixes: str
    """Which of its bottoms' axes must be fixed: "" none, "size", or "all"."""


CONVERTERS: dict[str, Converter] = {}


def converts(*types: str, fixes: str = "") -> Callable[[Convert], Convert]:
    """Register the converter of these layer types."""

    def register(convert: Convert) -> Convert:
        CONVERTERS.update(dict.fromkeys(types, Converter(convert, fixes)))
        return convert

    return register


def load() -> dict[str, Converter]:
    """All converters, by layer type."""
    for family in FAMILIES.split():
        import_module(f"caffe.export.{family}")
    return CONVERTERS


def why_not(layer_type: str) -> str:
    """Why a type without a converter has none."""
    return (CANNOT | BY_SETTINGS).get(layer_type, "caffe export has no ONNX operators for this type")


def kind_of(layer: Any) -> str:
    """The name that a layer is exported under: its type, or its class where the type means that class in its net."""
    name = type(layer).__name__
    return name if name in CONVERTERS or name in BY_SETTINGS else str(layer.type)


def values_of(layer: Any) -> list[Any]:
    """The layer's parameters as arrays of float32."""
    return [blob.tensor.detach().cpu().float().numpy() for blob in layer.blobs]
