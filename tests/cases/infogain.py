"""InfogainLoss: the loss of class labels with a matrix of weights."""

from tests.cases.case import case, input_layer, layer, net_case
from tests.cases.parts import X, fc, net

SOURCE = 'infogain_loss_param { source: "H.binaryproto" }'
MAP, MAP_LABELS = (2, 3, 4, 2), (2, 1, 4, 2)
SOME = "labels(3)"
ONLY_SCORES = "propagate_down: true propagate_down: false propagate_down: false"


def matrix(*values, legacy: bool = False, name: str = "H.binaryproto"):
    """Writes a square matrix as Caffe's mean files are written."""

    def write(folder) -> None:
        from caffe.proto import caffe_pb2

        size = round(len(values) ** 0.5)
        blob = caffe_pb2.BlobProto(data=values)
        if legacy:
            blob.num, blob.channels, blob.height, blob.width = 1, 1, size, size
        else:
            blob.shape.dim.extend([size, size])
        (folder / name).write_bytes(blob.SerializeToString())

    return write


def nothing(folder) -> None: ...


IDENTITY = matrix(1, 0, 0, 0, 1, 0, 0, 0, 1)
MIXED = matrix(2, 0.5, -0.3, 0.1, 1, 0.4, 0, 0.7, 3)
SIX = matrix(*[(7 * index % 11) / 10 for index in range(36)])


def infogain(body: str = SOURCE, *shapes, kinds=None, files=MIXED, **settings):
    shapes = shapes or (MAP, MAP_LABELS)
    return case("InfogainLoss", body, *shapes, kinds=kinds or ["normal", SOME], files=files, **settings)


def with_matrix_blob(name: str, more: str = ONLY_SCORES, shape=(4, 4), **settings):
    """The matrix as third bottom; behind a layer that learns, because force_backward asks for the matrix's gradient."""
    text = net(
        X,
        input_layer("label", (3,)),
        input_layer("h", shape),
        fc("a", "x", "a"),
        layer("loss", "InfogainLoss", ["a", "label", "h"], ["loss"], more),
    )
    return net_case(name, text, kinds={"label": "labels(4)"}, **{"force_backward": False, **settings})


CASES = [
    infogain(),
    infogain(SOURCE, files=IDENTITY, id="InfogainLoss, identity matrix"),
    infogain(SOURCE, files=matrix(1, 2, 3, 4, 5, 6, 7, 8, 9, legacy=True), id="InfogainLoss, legacy blob"),
    infogain(SOURCE, (4, 3), (4,)),
    infogain(SOURCE, (2, 3, 2, 2, 2), (2, 8)),
    infogain('infogain_loss_param { source: "H.binaryproto" axis: 2 }', (2, 4, 3), (2, 4)),
    infogain('infogain_loss_param { source: "H.binaryproto" axis: -1 }', (2, 4, 6), (2, 4), files=SIX),
    infogain(SOURCE + " softmax_param { axis: 2 }"),
    *[
        infogain(
            SOURCE + f" loss_param {{ ignore_label: 255 normalization: {mode} }}",
            kinds=["normal", "values(0,255,2,1,255)"],
        )
        for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")
    ],
    infogain(SOURCE + " loss_param { ignore_label: 1 }"),
    infogain(SOURCE + " loss_param { ignore_label: 255 }", kinds=["normal", "values(255)"]),
    infogain(SOURCE + " loss_weight: 0.5"),
    infogain(SOURCE + " loss_weight: 1 loss_weight: 0", tops=2),
    infogain(SOURCE + " loss_weight: 1 loss_weight: 0.5", tops=2),
    infogain(SOURCE, (6, 3), (6,), kinds=["values(0,-200,200)", "values(0,1,2,1,0,1)"], smooth=False),
    with_matrix_blob("InfogainLoss, matrix as bottom"),
    with_matrix_blob("InfogainLoss, matrix as bottom of another shape", shape=(2, 8)),
    with_matrix_blob(
        "InfogainLoss, matrix as bottom, ignored", ONLY_SCORES + " loss_param { ignore_label: 3 } loss_weight: 2"
    ),
    with_matrix_blob(
        "InfogainLoss, matrix as bottom beats source", ONLY_SCORES + ' infogain_loss_param { source: "no" }'
    ),
    with_matrix_blob("InfogainLoss, matrix as bottom of 9", shape=(3, 3), refused="num_labels_*num_labels_ (9 vs. 16)"),
    with_matrix_blob(
        "InfogainLoss, force_backward", force_backward=True, refused="cannot backpropagate to infogain inputs"
    ),
    infogain("", refused="Infogain matrix source must be specified."),
    infogain(SOURCE, files=nothing, refused="H.binaryproto", id="InfogainLoss, no file"),
    infogain(
        SOURCE, files=matrix(1, 0, 0, 1), refused="num_labels_*num_labels_ (4 vs. 9)", id="InfogainLoss, matrix of 4"
    ),
    infogain(SOURCE + " loss_param { normalize: true }", refused='normalize is deprecated. use "normalization"'),
    infogain(SOURCE, (2, 3, 4), (2, 3), refused="Number of labels must match number of predictions"),
    infogain(SOURCE, (4, 3), (3,), refused="The data and label should have the same first dimension."),
    infogain('infogain_loss_param { source: "H.binaryproto" axis: 4 }', refused="axis 4 out of range"),
    infogain(
        SOURCE + " propagate_down: true propagate_down: true",
        refused="InfogainLoss Layer cannot backpropagate to label inputs",
    ),
    infogain(SOURCE, (4, 3), kinds=["normal"], refused="InfogainLoss Layer takes at least 2 bottom blob(s) as input."),
]
