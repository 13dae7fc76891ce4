"""Old nets and solvers in today's form, as Caffe does on every load (upgrade_proto.cpp), in Caffe's order:

    1. V0 (2013): `layers { layer { type: "conv" … } }`     → V1, see upgrade_v0.py
    2. scale, mean_file, crop_size, mirror of data layers   → transform_param
    3. V1 (2014): `layers { type: RELU blobs_lr: 1 … }`     → V2: `layer { type: "ReLU" param { lr_mult: 1 } … }`
    4. `input`, `input_dim`, `input_shape` of the net       → an Input layer, the first one
    5. BatchNorm layers that declare three params           → lr_mult and decay_mult 0 for each
    6. `hole` of a convolution, DeepLab's word              → dilation
    7. solver_type of a solver (an enum)                    → type (a string)

Each step does nothing to a file that is up to date. Where Caffe aborts, FormatError is raised with Caffe's words.
"""

from collections.abc import Sequence

from caffe.errors import FormatError
from caffe.formats.upgrade_v0 import upgrade_v0_net
from caffe.log import log
from caffe.proto import caffe_pb2

LAYER_TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
    # of forks
    "BN": "BN",
    "CONVOLUTION3D": "Convolution3D",
    "CROP": "Crop",
    "DECONVOLUTION3D": "Deconvolution3D",
    "DENSE_CRF": "DenseCRF",
    "DENSE_IMAGE_DATA": "DenseImageData",
    "DOWN_SAMPLING": "DownSampling",
    "IMAGE_LABELMAP_DATA": "ImageLabelmapData",
    "IMAGE_SEG_DATA": "ImageSegData",
    "INTERP": "Interp",
    "LOCAL": "Local",
    "MAT_READ": "MatRead",
    "MAT_WRITE": "MatWrite",
    "MULTI_STAGE_MEANFIELD": "MultiStageMeanfield",
    "NORMALIZE": "Normalize",
    "PADDING": "Padding",
    "POOLING3D": "Pooling3D",
    "PRELU": "PReLU",
    "PYTHON": "Python",
    "RESHAPE": "Reshape",
    "ROI_POOLING": "ROIPooling",
    "SEG_ACCURACY": "SegAccuracy",
    "SMOOTH_L1_LOSS": "SmoothL1Loss",
    "UNPOOLING": "Unpooling",
    "UPSAMPLE": "Upsample",
    "VIDEO_DATA": "VideoData",
    "VIDEO_SEGMENTATION_DATA": "VideoSegmentationData",
    "VIDEO_WITH_VOXEL_TRUTH_DATA": "VideoWithVoxelTruthData",
    "WINDOW_SEG_DATA": "WindowSegData",
    "ELTWISE_ACCURACY": "EltwiseAccuracy",
    "BATCH_NORM": "BatchNorm",
    "CONADD": "Conadd",
    "DEFORMABLECONVOLUTION": "DeformableConvolution",
    "ELTWISE_AFFINE": "EltwiseAffine",
    "INSANITY": "Insanity",
    "RELU6": "ReLU6",
    "ROIPOOLING": "ROIPooling",
    "SELECT_SEG_BINARY": "SelectSegBinary",
    "SIGMOID_EUCLIDEAN_LOSS": "SigmoidEuclideanLoss",
    "SOFTMAX_WITH_LOSS5": "SoftmaxWithLoss5",
    "TRIPLET_LOSS": "TripletLoss",
}
SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
    "SAG": "SAG",
}
_DATA_PARAMS = {
    "DATA": "data_param",
    "IMAGE_DATA": "image_data_param",
    "VIDEO_DATA": "image_data_param",
    "WINDOW_DATA": "window_data_param",
}
_TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")
_ATTEMPT = "Attempting to upgrade input file specified using deprecated"
_SUCCESS = "Successfully upgraded file specified using deprecated"


def needs_upgrade(net: caffe_pb2.NetParameter) -> bool:
    """Whether a net is of an older form than today's."""
    return bool(net.layers or net.input or _old_batch_norms(net))


def upgrade_net(net: caffe_pb2.NetParameter, source: str) -> bool:
    """Bring a net to today's form, in place. False when something of a V0 net was lost: the log says what.

    `source` names the file in the log. Raises FormatError for what cannot be upgraded.
    """
    lossless = True
    if net.layers and net.layer:
        raise FormatError(
            f"{source}: Refusing to upgrade inconsistent NetParameter input; the definition includes both 'layer' and "
            "'layers' fields. Manually switch the definition to 'layer' format: layer { type: 'Pooling' ... } instead "
            "of layers { type: POOLING ... }."
        )
    if any(layer.HasField("layer") for layer in net.layers):
        log.info("%s V0LayerParameter: %s", _ATTEMPT, source)
        lossless = upgrade_v0_net(net, source)
        if lossless:
            log.info("%s V0LayerParameter", _SUCCESS)
        else:
            log.error(
                "Warning: had one or more problems upgrading V0NetParameter to NetParameter (see above); "
                "continuing anyway."
            )
    if any(old_transform_fields(layer) for layer in net.layers):
        log.info("%s transformation parameters: %s", _ATTEMPT, source)
        _upgrade_transforms(net)
        log.info("%s data transformation parameters.", _SUCCESS)
    if net.layers:
        log.info("%s V1LayerParameter: %s", _ATTEMPT, source)
        _upgrade_v1_layers(net)
        log.info("%s V1LayerParameter", _SUCCESS)
    if net.input:
        log.info("%s input fields: %s", _ATTEMPT, source)
        _upgrade_inputs(net, source)
        log.info("%s input fields.", _SUCCESS)
    if _old_batch_norms(net):
        log.info("Attempting to upgrade batch norm layers using deprecated params: %s", source)
        _upgrade_batch_norms(net)
        log.info("Successfully upgraded batch norm layers using deprecated params.")
    for layer in net.layer:
        if layer.HasField("convolution_param"):
            _upgrade_holes(layer, source)
    return lossless


def old_transform_fields(layer: caffe_pb2.V1LayerParameter) -> list[str]:
    """The transformations that a data layer of 2014 has in its own message, where they stood before."""
    name = _DATA_PARAMS.get(_enum_name(layer, "type"))
    return [field for field in _TRANSFORM_FIELDS if name and getattr(layer, name).HasField(field)]


def _upgrade_transforms(net: caffe_pb2.NetParameter) -> None:
    for layer in net.layers:
        name = _DATA_PARAMS.get(_enum_name(layer, "type"))
        if name is None:
            continue
        data, transform = getattr(layer, name), layer.transform_param
        data.SetInParent()
        transform.SetInParent()
        for field in old_transform_fields(layer):
            setattr(transform, field, getattr(data, field))
            data.ClearField(field)


def _upgrade_v1_layers(net: caffe_pb2.NetParameter) -> None:
    for old in net.layers:
        _upgrade_v1_layer(old, net.layer.add())
    net.ClearField("layers")


def _upgrade_v1_layer(old: caffe_pb2.V1LayerParameter, new: caffe_pb2.LayerParameter) -> None:
    if old.HasField("name"):
        new.name = old.name
    if old.HasField("type"):
        new.type = LAYER_TYPES[_enum_name(old, "type")]
    for name in ("bottom", "top", "loss_weight", "include", "exclude", "blobs"):
        getattr(new, name).MergeFrom(getattr(old, name))
    for field, value in old.ListFields():
        if field.name.endswith("_param"):
            getattr(new, field.name).CopyFrom(value)
    if old.unknown_fields:
        new.unknown_fields = old.unknown_fields
    columns: dict[str, Sequence[str | float]] = {
        "name": old.param,
        "share_mode": old.blob_share_mode,
        "lr_mult": old.blobs_lr,
        "decay_mult": old.weight_decay,
    }
    for _ in range(max(map(len, columns.values()))):
        new.param.add()
    for column, values in columns.items():
        for param, value in zip(new.param, values, strict=False):
            setattr(param, column, value)


def _upgrade_inputs(net: caffe_pb2.NetParameter, source: str) -> None:
    """Inputs without any shape, as old weight files have them, simply go."""
    if net.input_shape or net.input_dim:
        shapes = [list(shape.dim) for shape in net.input_shape] or [
            list(net.input_dim[start : start + 4]) for start in range(0, len(net.input_dim), 4)
        ]
        if len(shapes) < len(net.input) or (not net.input_shape and len(net.input_dim) < 4 * len(net.input)):
            raise FormatError(
                f"{source}: Incorrect input blob dimension specifications: found {len(net.input)} `input` fields, "
                f"{len(net.input_shape)} `input_shape` and {len(net.input_dim)} `input_dim`. Give each input one "
                "input_shape, or four input_dim."
            )
        layer = caffe_pb2.LayerParameter(name="input", type="Input", top=net.input)
        for shape in shapes[: len(net.input)]:
            layer.input_param.shape.add(dim=shape)
        net.layer.insert(0, layer)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)


def _upgrade_holes(layer: caffe_pb2.LayerParameter, source: str) -> None:
    """DeepLab's dilated convolutions say hole, or hole_h and hole_w, for what BVLC Caffe calls dilation."""
    param = layer.convolution_param
    sides = [getattr(param, name) for name in ("hole_h", "hole_w") if param.HasField(name)]
    if not param.hole and not sides:
        return
    if len(sides) == 1 or (param.hole and sides) or param.dilation:
        raise FormatError(
            f"{source}: layer '{layer.name}': found hole {list(param.hole)}, hole_h and hole_w {sides}, dilation "
            f"{list(param.dilation)}, expected hole, or both hole_h and hole_w, or dilation. Keep one of them."
        )
    param.dilation.extend(param.hole or sides)
    for field in ("hole", "hole_h", "hole_w"):
        param.ClearField(field)


def _old_batch_norms(net: caffe_pb2.NetParameter) -> list[caffe_pb2.LayerParameter]:
    return [layer for layer in net.layer if layer.type == "BatchNorm" and len(layer.param) == 3]


def _upgrade_batch_norms(net: caffe_pb2.NetParameter) -> None:
    for layer in _old_batch_norms(net):
        for param in layer.param:
            param.lr_mult = 0
            param.decay_mult = 0


def solver_needs_upgrade(solver: caffe_pb2.SolverParameter) -> bool:
    """Whether a solver is of an older form than today's."""
    return bool(solver.HasField("solver_type"))


def upgrade_solver(solver: caffe_pb2.SolverParameter, source: str) -> None:
    """Bring a solver to today's form, in place. Raises FormatError when it has both `solver_type` and `type`."""
    if not solver_needs_upgrade(solver):
        return
    log.info("%s 'solver_type' field (enum)': %s", _ATTEMPT, source)
    if solver.HasField("type"):
        raise FormatError(
            f"{source}: Failed to upgrade solver: old solver_type field (enum) and new type field (string) cannot be "
            "both specified in solver proto text. Remove solver_type."
        )
    solver.type = SOLVER_TYPES[_enum_name(solver, "solver_type")]
    solver.ClearField("solver_type")
    log.info("%s 'solver_type' field (enum) to 'type' field (string).", _SUCCESS)


def _enum_name(message: caffe_pb2.V1LayerParameter | caffe_pb2.SolverParameter, field: str) -> str:
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    assert enum is not None
    name: str = enum.values_by_number[getattr(message, field)].name
    return name
