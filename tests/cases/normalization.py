"""Layers that normalise: by neighbours, by image, by batch."""

from tests.cases.case import case

IMAGE = (2, 7, 5, 4)
FOUR_AXES = "Input must have 4 axes, corresponding to (num, channels, height, width)"
LEGACY = "Cannot use legacy accessors on Blobs with > 4 axes."
STATISTICS = "Cannot configure batch normalization statistics as layer parameters."


def lrn(fields: str, *shapes, **settings):
    return case("LRN", f"lrn_param {{ {fields} }}", *shapes, **settings)


def mvn(fields: str, *shapes, **settings):
    return case("MVN", f"mvn_param {{ {fields} }}", *shapes, **settings)


def batch_norm(fields: str, *shapes, **settings):
    return case("BatchNorm", f"batch_norm_param {{ {fields} }}", *shapes, **settings)


def global_norm(fields: str, *shapes, **settings):
    """With the stored statistics. Real Caffe gives those no gradient, so finite differences say nothing of them."""
    return batch_norm(fields, *shapes, smooth=False, **settings)


CASES = [
    lrn("", IMAGE),
    lrn("local_size: 3 alpha: 0.5 beta: 0.3", IMAGE),
    lrn("local_size: 5 alpha: 0.0001 beta: 0.75", IMAGE),
    lrn("local_size: 1 alpha: 2", IMAGE),
    lrn("local_size: 5 k: 2", IMAGE),
    lrn("local_size: 5 k: 0.5 beta: 1", IMAGE),
    lrn("beta: 0", IMAGE),
    lrn("beta: -0.5", IMAGE),
    lrn("alpha: 0", IMAGE),
    lrn("local_size: 15", IMAGE),
    lrn("local_size: 3", (2, 1, 3, 3)),
    lrn("local_size: 3 engine: CAFFE", (3, 2, 1, 1)),
    lrn("local_size: 3 norm_region: ACROSS_CHANNELS", IMAGE, kinds="zeros"),
    lrn("norm_region: WITHIN_CHANNEL", IMAGE),
    lrn("norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.5 beta: 0.3", IMAGE),
    lrn("norm_region: WITHIN_CHANNEL local_size: 1", IMAGE),
    lrn("norm_region: WITHIN_CHANNEL local_size: 9", (2, 2, 3, 4)),
    lrn("norm_region: WITHIN_CHANNEL local_size: 3 k: 5", (2, 3, 4, 4)),
    lrn("norm_region: WITHIN_CHANNEL local_size: 3", (2, 2, 3, 3), kinds="integers(1)"),
    lrn("local_size: 4", IMAGE, refused="LRN only supports odd values for local_size"),
    lrn("local_size: 0", IMAGE, refused="LRN only supports odd values for local_size"),
    lrn("norm_region: WITHIN_CHANNEL local_size: 2", IMAGE, refused="LRN only supports odd values for local_size"),
    lrn("", (2, 7), refused=FOUR_AXES),
    lrn("", (2, 3, 2, 2, 2), refused=FOUR_AXES),
    lrn("norm_region: WITHIN_CHANNEL", (2, 7, 3), refused=FOUR_AXES),
    lrn("", IMAGE, IMAGE, refused="LRN Layer takes 1 bottom blob(s) as input."),
    mvn("", (2, 3, 4, 5)),
    mvn("normalize_variance: false", (2, 3, 4, 5)),
    mvn("across_channels: true", (2, 3, 4, 5)),
    mvn("across_channels: true normalize_variance: false", (2, 3, 4, 5)),
    mvn("eps: 0.001", (2, 3, 4, 5)),
    # real Caffe's gradient takes standard deviation + eps for the standard deviation: no finite differences
    mvn("eps: 0.5", (2, 3, 4, 5), smooth=False),
    mvn("eps: 0.5 across_channels: true", (2, 3, 4, 5), smooth=False),
    mvn("across_channels: true", (3, 6), smooth=False),
    mvn("", (3, 6), smooth=False),
    mvn("", (2, 3, 5)),
    mvn("across_channels: true", (4,), smooth=False),
    mvn("", (2, 2, 3, 3), kinds="ones", smooth=False),
    mvn("normalize_variance: false", (2, 2, 3, 3), kinds="ones"),
    mvn("", (2, 2, 3, 3), kinds="uniform(99,101)", forward_tolerance=1e-4, reason="x - mean loses digits near 100"),
    mvn("", (2, 3, 4, 5), in_place=True, backward=False),
    mvn("across_channels: true normalize_variance: false", (2, 3, 4, 5), in_place=True),
    mvn("", (2, 3, 2, 2, 2), refused=LEGACY),
    mvn("", (2, 3, 4, 5), tops=2, refused="MVN Layer produces 1 top blob(s) as output."),
    batch_norm("", (4, 3, 5, 6)),
    batch_norm("", (4, 3)),
    batch_norm("", (4, 3, 5)),
    batch_norm("", (3, 2, 2, 3, 2)),
    batch_norm("eps: 0.1", (4, 3, 5, 6)),
    batch_norm("moving_average_fraction: 0.5", (4, 3, 5, 6)),
    batch_norm("moving_average_fraction: 0", (4, 3, 2, 2)),
    batch_norm("moving_average_fraction: 0.9 eps: 0.01", (4, 3, 2, 2), forwards=4),
    batch_norm("", (1, 3, 1, 1), smooth=False),
    batch_norm("", (2, 1, 1, 1)),
    batch_norm("", (4, 3, 2, 2), kinds="ones", smooth=False),
    batch_norm("", (4, 3, 5, 6), in_place=True),
    batch_norm("eps: 0.001", (5, 3), in_place=True),
    batch_norm("use_global_stats: false", (4, 3, 2, 2), phase="TEST"),
    global_norm("", (4, 3, 5, 6), phase="TEST"),
    global_norm("eps: 0.1", (4, 3), phase="TEST"),
    global_norm("", (3, 2, 2, 3, 2), phase="TEST"),
    global_norm("use_global_stats: true", (4, 3, 5, 6)),
    global_norm("use_global_stats: true", (4, 3, 5, 6), in_place=True),
    global_norm("use_global_stats: true moving_average_fraction: 0.3", (4, 3, 2, 2), forwards=2),
    global_norm("", (4, 3, 2, 2), phase="TEST", params=["normal", "positive", "zeros"]),
    global_norm("", (1, 3, 1, 1), phase="TEST"),
    case(
        "BatchNorm",
        "param { lr_mult: 0 } param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 }",
        (4, 3, 2, 2),
    ),
    case("BatchNorm", "param { lr_mult: 0 }", (4, 3, 2, 2)),
    case("BatchNorm", "", (4, 3, 2, 2), force_backward=False, backward=False),
    case("BatchNorm", "param { lr_mult: 1 }", (4, 3, 2, 2), refused=STATISTICS),
    case("BatchNorm", "param { }", (4, 3, 2, 2), refused=STATISTICS),
    case("BatchNorm", "param { lr_mult: 0 } " * 4, (4, 3, 2, 2), refused="Too many params specified for layer"),
    batch_norm("", (5,), refused=""),
    batch_norm("", (4, 3), (4, 3), refused="BatchNorm Layer takes 1 bottom blob(s) as input."),
]
