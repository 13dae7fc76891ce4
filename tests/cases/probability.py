"""Softmax and Accuracy."""

from functools import partial

from tests.cases.case import case

MAP, MAP_LABELS = (2, 5, 4, 3), (2, 1, 4, 3)
VOLUME = (2, 3, 2, 3, 2)

SOFTMAX = [
    case("Softmax", "", MAP),
    case("Softmax", "", (3, 7)),
    case("Softmax", "", VOLUME),
    case("Softmax", "softmax_param { axis: 0 }", (4, 3)),
    case("Softmax", "softmax_param { axis: 0 }", (6,)),
    case("Softmax", "softmax_param { axis: 2 }", MAP),
    case("Softmax", "softmax_param { axis: 3 }", MAP),
    case("Softmax", "softmax_param { axis: -1 }", VOLUME),
    case("Softmax", "softmax_param { axis: -4 engine: CAFFE }", MAP),
    case("Softmax", "", (2, 1, 3)),
    case("Softmax", "", MAP, in_place=True),
    case("Softmax", "", (4, 5), phase="TEST"),
    case("Softmax", "loss_weight: 0.5", (4, 5)),
    case("Softmax", "", (3, 4), kinds="values(-1000,0,88,100,1000)", smooth=False),
    case("Softmax", "", (2, 3), kinds="values(0,1,-inf)", smooth=False, backward=False),
    case("Softmax", "softmax_param { axis: 2 }", (4, 5), refused="axis 2 out of range for 2-D Blob"),
    case("Softmax", "", (4,), refused="axis 1 out of range for 1-D Blob"),
    case("Softmax", "", (4, 5), (4, 5), refused="Softmax Layer takes 1 bottom blob(s) as input."),
]

accuracy = partial(case, "Accuracy")
FIVE = ["normal", "labels(5)"]
TIES = ["integers(1)", "labels(5)"]
IGNORED = ["normal", "values(0,255,3,1,255,4,2,255)"]

ACCURACY = [
    accuracy("", (12, 5), (12,), kinds=FIVE),
    accuracy("", (12, 5), (12, 1, 1, 1), kinds=FIVE),
    accuracy("", (12, 5), (3, 4), kinds=FIVE),
    accuracy("", MAP, MAP_LABELS, kinds=FIVE),
    accuracy("", MAP, MAP_LABELS, kinds=FIVE, phase="TEST"),
    accuracy("", VOLUME, (2, 2, 3, 2), kinds=["normal", "labels(3)"]),
    *[accuracy(f"accuracy_param {{ top_k: {k} }}", (12, 5), (12,), kinds=FIVE) for k in (0, 2, 3, 5)],
    accuracy("accuracy_param { top_k: 2 }", MAP, MAP_LABELS, kinds=FIVE, tops=2),
    accuracy("", MAP, MAP_LABELS, kinds=FIVE, tops=2),
    accuracy("", (3, 5), (3,), kinds=["normal", "values(0,0,3)"], tops=2),
    accuracy("accuracy_param { axis: 2 }", (2, 3, 5), (2, 3), kinds=FIVE, tops=2),
    accuracy("accuracy_param { axis: -1 }", (2, 3, 5), (6,), kinds=FIVE),
    accuracy("accuracy_param { axis: 0 }", (4, 3), (3,), kinds=["normal", "labels(4)"], tops=2),
    accuracy("accuracy_param { ignore_label: 255 }", MAP, MAP_LABELS, kinds=IGNORED),
    accuracy("accuracy_param { ignore_label: 255 top_k: 3 }", MAP, MAP_LABELS, kinds=IGNORED, tops=2),
    accuracy("accuracy_param { ignore_label: 2 }", MAP, MAP_LABELS, kinds=FIVE, tops=2),
    accuracy("accuracy_param { ignore_label: -1 }", (4, 5), (4,), kinds=["normal", "values(-1,4)"]),
    accuracy("accuracy_param { ignore_label: 255 }", MAP, MAP_LABELS, kinds=["normal", "values(255)"], tops=2),
    accuracy("", (20, 5), (20,), kinds=TIES, tops=2),
    accuracy("accuracy_param { top_k: 2 }", (20, 5), (20,), kinds=TIES, tops=2),
    accuracy("accuracy_param { top_k: 3 }", (20, 5), (20,), kinds=TIES),
    accuracy("", (20, 5), (20,), kinds=["zeros", "labels(5)"], tops=2),
    accuracy("accuracy_param { top_k: 5 }", (20, 5), (20,), kinds=["zeros", "labels(5)"]),
    accuracy("", (4, 1), (4,), kinds=["zeros", "zeros"]),
    accuracy("", (3, 3), (3,), kinds=["values(nan)", "labels(3)"]),
    accuracy("", (4, 3), (4,), kinds=["values(nan,0,1)", "values(0,1,2,2)"], tops=2),
    accuracy("", (4, 3), (4,), kinds=["values(-inf,inf,0)", "values(0,1,2,1)"]),
    accuracy("accuracy_param { top_k: 6 }", (4, 5), (4,), kinds=FIVE, refused="top_k must be less than or equal to"),
    accuracy("", (4, 5), (3,), kinds=FIVE, refused="Number of labels must match number of predictions"),
    accuracy("", MAP, (2, 5), kinds=FIVE, refused="Number of labels must match number of predictions"),
    accuracy("accuracy_param { axis: 2 }", (4, 5), (4,), kinds=FIVE, refused="axis 2 out of range for 2-D Blob"),
    accuracy("", (4, 5), (4,), kinds=FIVE, backward=True, refused="Not Implemented Yet"),
    accuracy("", (4, 5), (4,), kinds=FIVE, tops=3, refused="Accuracy Layer produces at most 2 top blob(s) as output."),
    accuracy("", (4, 5), refused="Accuracy Layer takes 2 bottom blob(s) as input."),
]

CASES = [*SOFTMAX, *ACCURACY]
