"""Layers that start a net from nothing, from memory, from HDF5 and from Python, and the one that ends in HDF5."""

from tests.cases.case import case, net_case
from tests.cases.data_files import hdf5_files, python_layers

INPUTS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
"""
OUTPUT = (
    'layer { name: "layer" type: "HDF5Output" bottom: "data" bottom: "label" hdf5_output_param { file_name: "%s" } }'
)
MEMORY = "memory_data_param { batch_size: 2 channels: 3 height: 1 width: 2 }"


def dummy(body: str, **more):
    return case("DummyData", f"dummy_data_param {{ {body} }}", **more)


def hdf5(settings: str, tops: str, more: str = "", **keywords):
    text = f'layer {{ name: "layer" type: "HDF5Data" {tops} hdf5_data_param {{ {settings} }} {more} }}\n'
    return net_case(f"HDF5Data, {settings}, {tops}{more}", text, files=hdf5_files, backward=False, **keywords)


def python(layer: str, *shapes, module="user_layers", more="", **keywords):
    body = f"python_param {{ module: '{module}' layer: '{layer}' {more}"
    return case("Python", body + ("" if "}" in more else " }"), *shapes, files=python_layers, smooth=False, **keywords)


CASES = [
    case("Input", "input_param { shape { dim: 2 dim: 3 } }"),
    case("Input", "input_param { shape { dim: 2 } shape { dim: 1 dim: 4 } }", tops=2),
    case("Input", "input_param { shape { dim: 5 } }", tops=3),
    case(
        "Input",
        "input_param { shape { dim: 5 } shape { dim: 1 } }",
        tops=3,
        refused="Must specify 'shape' once, once per top blob, or not at all: 3 tops vs. 2 shapes.",
    ),
    dummy("shape { dim: 2 dim: 3 }", forwards=2),
    dummy("shape { dim: 2 } data_filler { type: 'constant' value: 1.5 }", tops=2),
    dummy("shape { dim: 2 } shape { dim: 3 } data_filler { value: 1 } data_filler { value: 2 }", tops=2),
    dummy("num: 2 channels: 3 height: 1 width: 2"),
    dummy("num: 2 num: 1 channels: 3 height: 1 height: 5 width: 2", tops=2),
    dummy("shape { dim: 1 dim: 2 dim: 4 dim: 4 } data_filler { type: 'bilinear' }"),
    dummy("shape { dim: 3 dim: 4 } data_filler { type: 'gaussian' std: 2 }", random=True),
    dummy("shape { dim: 3 dim: 4 } data_filler { type: 'gaussian' sparse: 1 }", random=True),
    dummy("shape { dim: 3 dim: 4 } data_filler { type: 'gaussian' mean: 1 }", random=True),
    dummy("shape { dim: 3 dim: 4 } data_filler { type: 'uniform' min: -1 }", random=True),
    dummy("shape { dim: 3 dim: 4 } data_filler { type: 'uniform' max: 2 }", random=True),
    dummy("shape { dim: 3 dim: 4 } data_filler { type: 'xavier' }", random=True),
    dummy("shape { dim: 3 dim: 4 } data_filler { type: 'msra' variance_norm: FAN_OUT }", random=True),
    dummy("shape { dim: 3 dim: 4 } data_filler { type: 'positive_unitball' }", random=True),
    dummy("shape { dim: 4 dim: 4 } data_filler { type: 'bilinear' }", refused="Blob must be 4 dim."),
    dummy("shape { dim: 2 } data_filler { type: 'nonsense' }", refused="Unknown filler name: "),
    dummy(
        "num: 2 channels: 3 height: 1 width: 2 shape { dim: 2 }",
        refused="Both shape and legacy fields were specified",
    ),
    dummy(
        "num: 2 channels: 3 height: 1",
        refused="Must specify 'width' once, or once per top blob (1); specified 0.",
    ),
    dummy(
        "shape { dim: 2 } shape { dim: 2 }",
        tops=3,
        refused="Must specify 'shape' once, or once per top blob (3); specified 2.",
    ),
    dummy("", refused="Must specify 'shape' once, or once per top blob (1); specified 0."),
    dummy(
        "shape { dim: 2 } data_filler {} data_filler {}",
        tops=3,
        refused="Number of data fillers must be 0, 1 or equal to the number of tops: 3; you specified 2 data fillers.",
    ),
    hdf5('source: "one.txt" batch_size: 2', 'top: "data" top: "label"', forwards=3),
    hdf5('source: "two.txt" batch_size: 5', 'top: "label" top: "double"', forwards=3),
    hdf5('source: "two.txt" batch_size: 9', 'top: "data"', forwards=2),
    hdf5('source: "two.txt" batch_size: 2 shuffle: true', 'top: "data"', random=True),
    hdf5('source: "two.txt" batch_size: 2', 'top: "none"', refused="Failed to find HDF5 dataset none"),
    hdf5('source: "two.txt" batch_size: 2', 'top: "data" top: "short"', refused=""),
    hdf5('source: "two.txt" batch_size: 2', 'top: "scalar"', refused=""),
    hdf5(
        'source: "empty.txt" batch_size: 2', 'top: "data"', refused="Must have at least 1 HDF5 filename listed in empty"
    ),
    hdf5('source: "none.txt" batch_size: 2', 'top: "data"', refused="Failed to open source file: none.txt"),
    hdf5('source: "missing.txt" batch_size: 2', 'top: "data"', refused="Failed opening HDF5 file: none.h5"),
    hdf5(
        'source: "one.txt" batch_size: 2',
        'top: "data"',
        "transform_param { scale: 2 }",
        refused="HDF5Data does not transform data.",
    ),
    net_case("HDF5Output, one pass", INPUTS + OUTPUT % "out.h5", files=hdf5_files),
    net_case("HDF5Output, two passes", INPUTS + OUTPUT % "out.h5", files=hdf5_files, forwards=2, refused=""),
    net_case(
        "HDF5Output, no folder",
        INPUTS + OUTPUT % "none/out.h5",
        files=hdf5_files,
        refused="Failed to open HDF5 file",
    ),
    case(
        "HDF5Output",
        "hdf5_output_param { file_name: 'out.h5' }",
        (2, 3),
        (3,),
        tops=0,
        files=hdf5_files,
        refused="",
    ),
    case("HDF5Output", "", (2, 3), tops=0, refused="HDF5Output Layer takes 2 bottom blob(s) as input."),
    case("MemoryData", MEMORY, tops=2, refused="MemoryDataLayer needs to be initialized by calling Reset"),
    case("MemoryData", MEMORY, tops=1, refused="MemoryData Layer produces 2 top blob(s) as output."),
    case(
        "MemoryData",
        "memory_data_param { batch_size: 2 channels: 3 height: 1 }",
        tops=2,
        refused="batch_size, channels, height, and width must be specified and positive in memory_data_param",
    ),
    python("Ramp", more="param_str: '3'", tops=2, forwards=2, phase="TEST"),
    python("Scale", (2, 3)),
    python("Scale", (2, 3), (2, 3), (2, 3)),
    python("Scale", (2, 3), (2, 3), more="} propagate_down: true propagate_down: false"),
    python("Loss", (2, 3), (2, 3), more="} loss_weight: 2.5"),
    python("Scale", (2, 3), more="share_in_parallel: true"),
    python("None", (2, 3), refused=""),
    python("Scale", (2, 3), module="no_such_module", refused=""),
]
