"""Layers that slide a window over space: convolutions, pooling, crop."""

from tests.cases.case import case, net_case

IMAGE = (2, 4, 7, 6)
VOLUME = (2, 2, 4, 5, 3)
NOT_TWO_D = "can only be used for 2D convolution."
OUT_OF_RANGE = "out of range"


def convolution(fields: str, *shapes, **settings):
    return case("Convolution", f"convolution_param {{ {fields} }}", *shapes, **settings)


def deconvolution(fields: str, *shapes, **settings):
    return case("Deconvolution", f"convolution_param {{ {fields} }}", *shapes, **settings)


def im2col(fields: str, *shapes, **settings):
    return case("Im2col", f"convolution_param {{ {fields} }}", *shapes, **settings)


def pooling(fields: str, *shapes, **settings):
    settings.setdefault("kinds", "distinct")
    return case("Pooling", f"pooling_param {{ {fields} }}", *shapes, **settings)


def spp(fields: str, *shapes, **settings):
    settings.setdefault("kinds", "distinct")
    return case("SPP", f"spp_param {{ {fields} }}", *shapes, **settings)


def crop(fields: str, *shapes, **settings):
    return case("Crop", f"crop_param {{ {fields} }}", *shapes, **settings)


CONVOLUTIONS = [
    convolution("num_output: 3 kernel_size: 3", IMAGE),
    convolution("num_output: 3 kernel_size: 1", IMAGE),
    convolution("num_output: 3 kernel_size: 1", (1, 4, 6, 5)),
    convolution("num_output: 3 kernel_size: 3 bias_term: false", IMAGE),
    convolution("num_output: 3 kernel_size: 3 stride: 2", IMAGE),
    convolution("num_output: 3 kernel_size: 3 pad: 1", IMAGE),
    convolution("num_output: 3 kernel_size: 3 pad: 5", (1, 2, 3, 4)),
    convolution("num_output: 2 kernel_size: 3 pad: 100", (1, 1, 2, 3)),
    convolution("num_output: 3 kernel_size: 3 pad: 2 stride: 3", IMAGE),
    convolution("num_output: 3 kernel_size: 2 dilation: 2", IMAGE),
    convolution("num_output: 3 kernel_size: 3 dilation: 2 pad: 2", IMAGE),
    convolution("num_output: 3 kernel_size: 2 dilation: 3 dilation: 1 stride: 2", IMAGE),
    convolution("num_output: 3 kernel_size: 3 dilation: 0", IMAGE),
    convolution("num_output: 2 kernel_size: 3 dilation: 0 dilation: 2 stride: 2 stride: 1", IMAGE),
    convolution("num_output: 3 kernel_h: 3 kernel_w: 2", IMAGE),
    convolution("num_output: 3 kernel_h: 1 kernel_w: 5 pad_w: 2", IMAGE),
    convolution("num_output: 3 kernel_size: 3 pad_h: 2 pad_w: 0 stride_h: 2 stride_w: 3", IMAGE),
    convolution("num_output: 3 kernel_size: 3 kernel_size: 2 stride: 1 stride: 2 pad: 0 pad: 1", IMAGE),
    convolution("num_output: 4 kernel_size: 3 group: 2", IMAGE),
    convolution("num_output: 4 kernel_size: 3 group: 4 pad: 1", IMAGE),
    convolution("num_output: 8 kernel_size: 2 group: 4 stride: 2 bias_term: false", IMAGE),
    convolution("num_output: 3 kernel_size: 3 engine: CAFFE", IMAGE),
    convolution("num_output: 3 kernel_size: 3 force_nd_im2col: true", IMAGE),
    convolution("num_output: 3 kernel_size: 3 axis: -3", IMAGE),
    convolution("num_output: 3 kernel_size: 3", (2, 3, 8)),
    convolution("num_output: 3 kernel_size: 3 stride: 2 pad: 1 dilation: 2", (2, 3, 8)),
    convolution("num_output: 3 kernel_size: 2", VOLUME),
    convolution("num_output: 4 kernel_size: 2 kernel_size: 3 kernel_size: 1 pad: 1 stride: 2 group: 2", VOLUME),
    convolution("num_output: 3 kernel_size: 2 dilation: 1 dilation: 2 dilation: 1", VOLUME),
    convolution("num_output: 2 kernel_size: 2 pad: 1", (1, 2, 3, 2, 3, 2)),
    convolution("num_output: 4 kernel_size: 2 stride: 2 group: 2 pad: 1 bias_term: false", (2, 2, 3, 2, 3, 2)),
    convolution("num_output: 3 kernel_size: 2 axis: 2", (2, 3, 2, 4, 5)),
    convolution("num_output: 3 kernel_size: 2 axis: 2", (2, 2, 4, 5)),
    convolution("num_output: 3 kernel_size: 2 axis: 0", (2, 4, 5)),
    convolution("num_output: 3 kernel_size: 1", (4, 5)),
    convolution("num_output: 3 pad: 2", (4, 5)),
    convolution("num_output: 4 kernel_size: 1 group: 2", (3, 6)),
    convolution("num_output: 3 kernel_size: 1 axis: 3", (2, 3, 4, 5)),
    convolution("num_output: 3 kernel_size: 7 kernel_size: 6", IMAGE),
    convolution("num_output: 3 kernel_size: 3 stride: 2", (2, 3, 2, 2)),
    convolution("num_output: 2 kernel_size: 4 stride: 3 pad: 1", (2, 3, 1, 6)),
    convolution("num_output: 2 kernel_size: 3 dilation: 2 stride: 3", (1, 2, 3, 8)),
    convolution("num_output: 3 kernel_size: 3", (1, 2, 4, 5), (1, 2, 4, 5), tops=2),
    convolution("num_output: 3 kernel_size: 3", (2, 3, 2, 2), refused=""),
    case("Convolution", "convolution_param { num_output: 2 kernel_size: 2 } param { lr_mult: 0 }", (2, 3, 4, 4)),
    case(
        "Convolution",
        "convolution_param { num_output: 2 kernel_size: 2 } propagate_down: false",
        (2, 3, 4, 4),
    ),
    convolution("num_output: 64 kernel_size: 3 pad: 1", (1, 32, 9, 11)),
    convolution("num_output: 3 kernel_size: 3", (2, 3, 1, 1), refused="shape[i] >= 0"),
    convolution("kernel_size: 3", IMAGE, refused="num_output_ > 0"),
    convolution("num_output: 3", IMAGE, refused="kernel_size must be specified once, or once per spatial dimension"),
    convolution(
        "num_output: 3 kernel_size: 1 kernel_size: 1 kernel_size: 1",
        IMAGE,
        refused="kernel_size must be specified once, or once per spatial dimension",
    ),
    convolution(
        "num_output: 3 kernel_size: 1 stride: 1 stride: 1 stride: 1",
        IMAGE,
        refused="stride must be specified once, or once per spatial dimension",
    ),
    convolution(
        "num_output: 3 kernel_size: 1 pad: 1 pad: 1 pad: 1",
        IMAGE,
        refused="pad must be specified once, or once per spatial dimension",
    ),
    convolution(
        "num_output: 3 kernel_size: 1 dilation: 1 dilation: 1 dilation: 1",
        IMAGE,
        refused="dilation must be specified once, or once per spatial dimension",
    ),
    convolution("num_output: 3 kernel_size: 0", IMAGE, refused="Filter dimensions must be nonzero."),
    convolution("num_output: 3 kernel_h: 3", IMAGE, refused="Filter dimensions must be nonzero."),
    convolution("num_output: 3 kernel_size: 3 stride: 0", IMAGE, refused="Stride dimensions must be nonzero."),
    convolution("num_output: 3 kernel_size: 3 stride_h: 2", IMAGE, refused=""),
    convolution(
        "num_output: 3 kernel_size: 3 kernel_h: 3 kernel_w: 3",
        IMAGE,
        refused="Either kernel_size or kernel_h/w should be specified; not both.",
    ),
    convolution(
        "num_output: 3 kernel_size: 3 stride: 1 stride_h: 2 stride_w: 2",
        IMAGE,
        refused="Either stride or stride_h/w should be specified; not both.",
    ),
    convolution(
        "num_output: 3 kernel_size: 3 pad: 1 pad_h: 1",
        IMAGE,
        refused="Either pad or pad_h/w should be specified; not both.",
    ),
    convolution("num_output: 3 kernel_h: 3 kernel_w: 3", VOLUME, refused=f"kernel_h & kernel_w {NOT_TWO_D}"),
    convolution("num_output: 3 kernel_size: 3 stride_h: 3", VOLUME, refused=f"stride_h & stride_w {NOT_TWO_D}"),
    convolution("num_output: 3 kernel_size: 3 pad_w: 3", VOLUME, refused=f"pad_h & pad_w {NOT_TWO_D}"),
    convolution("num_output: 4 kernel_size: 3 group: 3", IMAGE, refused="channels_ % group_ == 0"),
    convolution(
        "num_output: 3 kernel_size: 3 group: 2", IMAGE, refused="Number of output should be multiples of group."
    ),
    convolution("num_output: 3 kernel_size: 3 group: 0", IMAGE, refused=""),
    convolution("num_output: 3 kernel_size: 3 axis: 4", IMAGE, refused=OUT_OF_RANGE),
    convolution("num_output: 3 kernel_size: 3", (4,), refused=OUT_OF_RANGE),
    convolution("num_output: 3 kernel_size: 3", (1, 2, 4, 5), (1, 2, 4, 6), tops=2, refused="shape mismatch"),
    convolution(
        "num_output: 3 kernel_size: 3",
        (1, 2, 4, 5),
        (1, 2, 4, 5),
        refused="Convolution Layer produces one top blob as output for each bottom blob input.",
    ),
    convolution("num_output: 3 kernel_size: 3", refused="Convolution Layer takes at least 1 bottom blob(s) as input."),
    case(
        "Convolution",
        "convolution_param { num_output: 1 kernel_size: 1 } blobs { shape { dim: 1 dim: 4 dim: 1 dim: 1 } "
        "data: 1 data: 2 data: 3 data: 4 }",
        IMAGE,
        refused="Incorrect number of weight blobs.",
    ),
    case(
        "Convolution",
        "convolution_param { num_output: 1 kernel_size: 1 bias_term: false } blobs { shape { dim: 4 } "
        "data: 1 data: 2 data: 3 data: 4 }",
        IMAGE,
        refused="Incorrect weight shape: expected shape 1 4 1 1 (4)",
    ),
]

DECONVOLUTIONS = [
    deconvolution("num_output: 3 kernel_size: 3", IMAGE),
    deconvolution("num_output: 3 kernel_size: 1", IMAGE),
    deconvolution("num_output: 3 kernel_size: 4 stride: 2", IMAGE),
    deconvolution("num_output: 3 kernel_size: 4 stride: 2 bias_term: false", IMAGE),
    deconvolution("num_output: 3 kernel_size: 4 stride: 2 pad: 1", IMAGE),
    deconvolution("num_output: 3 kernel_size: 2 stride: 4", IMAGE),
    deconvolution("num_output: 3 kernel_size: 3 pad: 4", IMAGE, refused=""),
    deconvolution("num_output: 3 kernel_size: 3 pad: 5", IMAGE, refused="shape[i] >= 0"),
    deconvolution("num_output: 3 kernel_size: 3 pad: 3 stride: 2", IMAGE),
    deconvolution("num_output: 4 kernel_size: 4 stride: 2 group: 4 bias_term: false", IMAGE),
    deconvolution("num_output: 6 kernel_size: 3 stride: 2 group: 2", IMAGE),
    deconvolution("num_output: 2 kernel_size: 3 stride: 2 dilation: 2 pad: 1", IMAGE),
    deconvolution("num_output: 2 kernel_size: 3 dilation: 0 stride: 2", IMAGE),
    deconvolution("num_output: 3 kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1", IMAGE),
    deconvolution("num_output: 3 kernel_h: 2 kernel_w: 3 pad_w: 2 engine: CAFFE", IMAGE),
    deconvolution("num_output: 3 kernel_size: 3 kernel_size: 2 stride: 3 stride: 1 force_nd_im2col: true", IMAGE),
    deconvolution("num_output: 3 kernel_size: 3 stride: 2", (2, 3, 5)),
    deconvolution("num_output: 4 kernel_size: 2 stride: 2 pad: 1 group: 2", VOLUME),
    deconvolution("num_output: 2 kernel_size: 2 stride: 2 pad: 1", (1, 2, 3, 2, 3, 2)),
    deconvolution("num_output: 3 kernel_size: 2 axis: 2", (2, 3, 2, 4, 5)),
    deconvolution("num_output: 3 kernel_size: 2 axis: 0", (2, 4, 5)),
    deconvolution("num_output: 3 kernel_size: 1", (4, 5)),
    deconvolution("num_output: 3 kernel_size: 3 stride: 2", (1, 2, 4, 5), (1, 2, 4, 5), tops=2),
    deconvolution("num_output: 1 kernel_size: 64 stride: 32 bias_term: false", (1, 1, 2, 3)),
    case(
        "Deconvolution",
        "convolution_param { num_output: 3 kernel_size: 2 } param { lr_mult: 0 } param { lr_mult: 2 }",
        IMAGE,
    ),
    case("Deconvolution", "convolution_param { num_output: 3 kernel_size: 2 } propagate_down: false", IMAGE),
    deconvolution("num_output: 3 kernel_size: 3 group: 2", IMAGE, refused="Number of output should be multiples of"),
    deconvolution("num_output: 3 kernel_size: 3 group: 3", IMAGE, refused="channels_ % group_ == 0"),
    deconvolution("num_output: 3", IMAGE, refused="kernel_size must be specified once, or once per spatial dimension"),
    deconvolution(
        "num_output: 3 kernel_size: 2",
        (1, 2, 4, 5),
        (1, 2, 4, 5),
        refused="Deconvolution Layer produces one top blob as output for each bottom blob input.",
    ),
]

IM2COLS = [
    im2col("kernel_size: 3", IMAGE),
    im2col("kernel_size: 3 pad: 2 stride: 2", IMAGE),
    im2col("kernel_size: 2 dilation: 2 pad: 1 force_nd_im2col: true", IMAGE),
    im2col("kernel_h: 3 kernel_w: 1 stride_h: 2 stride_w: 1 pad_h: 1", IMAGE),
    im2col("kernel_h: 1 kernel_w: 3 pad_w: 2", IMAGE),
    im2col("kernel_size: 2 dilation: 0", (1, 2, 3, 4)),
    im2col("kernel_size: 3 stride: 2", (2, 3, 2, 2)),
    im2col("kernel_size: 3 stride: 2", (2, 3, 7)),
    im2col("kernel_size: 2 kernel_size: 1 kernel_size: 2 pad: 1", VOLUME),
    im2col("kernel_size: 2 axis: 2", (2, 3, 2, 4, 3)),
    im2col("kernel_size: 2 axis: 0", (2, 4, 3)),
    im2col("kernel_size: 2 num_output: 7 group: 3", (1, 2, 3, 3)),
    im2col("kernel_size: 3", (2, 4), refused="num_spatial_axes_ >= 1"),
    im2col("", IMAGE, refused="kernel_size must be specified once, or once per spatial dimension"),
    im2col("kernel_size: 0", IMAGE, refused="Filter dimensions must be nonzero."),
    im2col("kernel_size: 2 stride: 0", IMAGE, refused="Stride dimensions must be nonzero."),
    im2col("kernel_size: 4", (2, 3, 2, 2), refused="shape[i] >= 0"),
    im2col("kernel_size: 3 axis: 5", IMAGE, refused=OUT_OF_RANGE),
    im2col("kernel_h: 2 kernel_w: 2", (2, 3, 7), refused=f"kernel_h & kernel_w {NOT_TWO_D}"),
    im2col("kernel_size: 3", IMAGE, tops=2, refused="Im2col Layer produces 1 top blob(s) as output."),
]

POOLINGS = [
    *(
        pooling(f"pool: {method} {fields}", shape)
        for method in ("MAX", "AVE")
        for fields, shape in [
            ("kernel_size: 2 stride: 2", (2, 3, 6, 8)),
            ("kernel_size: 2 stride: 2", (2, 3, 7, 5)),
            ("kernel_size: 3 stride: 2", (2, 3, 6, 5)),
            ("kernel_size: 3", (2, 3, 6, 5)),
            ("kernel_size: 3 stride: 2 pad: 1", (2, 3, 6, 5)),
            ("kernel_size: 3 stride: 2 pad: 2", (2, 3, 6, 5)),
            ("kernel_size: 3 stride: 1 pad: 2", (2, 3, 4, 5)),
            ("kernel_size: 5 stride: 3 pad: 4", (2, 3, 4, 5)),
            ("kernel_size: 2 stride: 3 pad: 1", (2, 3, 5, 6)),
            ("kernel_size: 3 stride: 4 pad: 1", (2, 3, 9, 10)),
            ("kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 3", (2, 3, 6, 8)),
            ("kernel_h: 3 kernel_w: 2 stride: 3 pad_h: 1 pad_w: 0", (2, 3, 7, 6)),
            ("kernel_h: 2 kernel_w: 3 stride: 3 pad_h: 0 pad_w: 2", (2, 3, 4, 7)),
            ("kernel_h: 1 kernel_w: 3 pad_h: 0 pad_w: 1 stride_h: 4 stride_w: 1", (2, 3, 6, 7)),
            ("kernel_size: 1", (2, 3, 3, 3)),
            ("kernel_size: 4 stride: 3", (2, 3, 2, 3)),
            ("kernel_size: 6 stride: 2 pad: 1", (2, 3, 3, 4)),
            ("kernel_size: 4", (2, 3, 4, 4)),
            ("global_pooling: true", (2, 3, 6, 5)),
            ("global_pooling: true engine: CAFFE", (2, 3, 1, 1)),
        ]
    ),
    pooling("pool: MAX kernel_size: 1 stride: 3", (2, 3, 6, 5), smooth=False, backward=False),
    pooling("pool: MAX kernel_size: 1 stride: 3", (2, 3, 6, 5), smooth=False, backward=False, tops=2),
    pooling("pool: MAX kernel_size: 2 stride: 4", (1, 2, 7, 5), smooth=False, backward=False),
    pooling("pool: MAX kernel_h: 1 kernel_w: 2 stride: 3", (1, 2, 5, 8), smooth=False, backward=False, tops=2),
    pooling("pool: AVE kernel_size: 1 stride: 3", (2, 3, 6, 5), smooth=False),
    pooling("pool: AVE kernel_size: 2 stride: 4", (1, 2, 7, 5), smooth=False),
    pooling("pool: AVE kernel_h: 1 kernel_w: 2 stride: 3", (1, 2, 5, 8), smooth=False),
    pooling("kernel_size: 3 stride: 2", (2, 3, 6, 5), tops=2),
    pooling("kernel_size: 2 stride: 2", (2, 3, 7, 5), tops=2),
    pooling("kernel_size: 3 stride: 2 pad: 1", (2, 3, 6, 5), tops=2),
    pooling("kernel_size: 3 stride: 2 pad: 2", (2, 3, 6, 5), tops=2),
    pooling("kernel_size: 5 stride: 3 pad: 4", (2, 3, 4, 5), tops=2),
    pooling("global_pooling: true", (2, 3, 6, 5), tops=2),
    pooling("kernel_size: 3 stride: 2", (2, 3, 7, 7), kinds="integers(1)", smooth=False),
    pooling("kernel_size: 3 stride: 2", (2, 3, 7, 7), kinds="integers(1)", smooth=False, tops=2),
    pooling("kernel_size: 3 pad: 2", (2, 3, 4, 5), kinds="zeros", smooth=False, tops=2),
    pooling("kernel_size: 3 stride: 1 pad: 1", (1, 2, 4, 5), kinds="ones", smooth=False),
    pooling("kernel_size: 2 stride: 2", (1, 2, 4, 4), kinds="uniform(-9,-5)"),
    pooling("pool: AVE kernel_size: 3 stride: 2 pad: 2", (1, 2, 4, 4), kinds="ones"),
    pooling("kernel_size: 2 stride: 2", (1, 64, 21, 19)),
    pooling("kernel_size: 4", (2, 3, 2, 2), refused="shape[i] >= 0"),
    pooling("kernel_size: 3", (2, 3, 2, 5), refused=""),
    pooling("pool: STOCHASTIC kernel_size: 2 pad: 1", (2, 3, 6, 5), refused="Padding implemented only for average and"),
    pooling("kernel_size: 3 pad: 3", (2, 3, 6, 5), refused="pad_h_ < kernel_h_"),
    pooling("kernel_h: 3 kernel_w: 2 pad: 2", (2, 3, 6, 5), refused="pad_w_ < kernel_w_"),
    pooling("kernel_size: 0", (2, 3, 6, 5), refused="Filter dimensions cannot be zero."),
    pooling("kernel_h: 1 kernel_w: 0", (2, 3, 6, 5), refused="Filter dimensions cannot be zero."),
    pooling("kernel_size: 2 stride: 0", (2, 3, 6, 5), refused=""),
    pooling("pool: MAX", (2, 3, 6, 5), refused="Filter size is kernel_size OR kernel_h and kernel_w; not both"),
    pooling("kernel_h: 2", (2, 3, 6, 5), refused="Filter size is kernel_size OR kernel_h and kernel_w; not both"),
    pooling(
        "kernel_size: 2 kernel_h: 2 kernel_w: 2",
        (2, 3, 6, 5),
        refused="Filter size is kernel_size OR kernel_h and kernel_w; not both",
    ),
    pooling("kernel_size: 2 kernel_h: 3", (2, 3, 6, 5)),
    pooling("kernel_size: 2 pad_h: 1", (2, 3, 6, 5), refused="pad is pad OR pad_h and pad_w are required."),
    pooling("kernel_size: 2 pad: 1 pad_h: 1 pad_w: 1", (2, 3, 6, 5), refused="pad is pad OR pad_h and pad_w are"),
    pooling("kernel_size: 2 stride_w: 1", (2, 3, 6, 5), refused="Stride is stride OR stride_h and stride_w are"),
    pooling(
        "kernel_size: 2 stride: 2 stride_h: 1 stride_w: 1",
        (2, 3, 6, 5),
        refused="Stride is stride OR stride_h and stride_w are required.",
    ),
    pooling(
        "global_pooling: true kernel_size: 3",
        (2, 3, 6, 5),
        refused="With Global_pooling: true Filter size cannot specified",
    ),
    pooling(
        "global_pooling: true stride: 2", (2, 3, 6, 5), refused="With Global_pooling: true; only pad = 0 and stride = 1"
    ),
    pooling(
        "global_pooling: true pad: 1", (2, 3, 6, 5), refused="With Global_pooling: true; only pad = 0 and stride = 1"
    ),
    pooling("kernel_size: 2", (2, 3, 6), refused="Input must have 4 axes, corresponding to (num, channels, height, "),
    pooling(
        "kernel_size: 2", VOLUME, refused="Input must have 4 axes, corresponding to (num, channels, height, width)"
    ),
    pooling("global_pooling: true", VOLUME, refused="Cannot use legacy accessors on Blobs with > 4 axes."),
    pooling("pool: AVE kernel_size: 2", (2, 3, 6, 5), tops=2, refused="Pooling Layer produces at most 1 top blob(s)"),
    pooling("kernel_size: 2", (2, 3, 6, 5), tops=3, refused="Pooling Layer produces at most 2 top blob(s) as output."),
    pooling("kernel_size: 2", (2, 3, 6, 5), (2, 3, 6, 5), refused="Pooling Layer takes 1 bottom blob(s) as input."),
    net_case(
        "Pooling, MAX, the mask read by another layer",
        """
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 5 dim: 6 } } }
        layer { name: "pool" type: "Pooling" bottom: "x" top: "y" top: "mask"
          pooling_param { kernel_size: 3 stride: 2 } }
        layer { name: "power" type: "Power" bottom: "mask" top: "z" power_param { scale: 2 } }
        """,
        force_backward=False,
        backward=False,
    ),
]

SPPS = [
    spp("pyramid_height: 1", (2, 3, 6, 5)),
    spp("pyramid_height: 1 pool: AVE", (2, 3, 6, 5)),
    spp("pyramid_height: 2", (2, 3, 6, 5)),
    spp("pyramid_height: 3", (2, 3, 8, 8)),
    spp("pyramid_height: 3 pool: AVE", (2, 3, 8, 7)),
    spp("pyramid_height: 3 pool: AVE engine: CAFFE", (1, 2, 7, 11)),
    spp("pyramid_height: 2", (1, 2, 3, 3), kinds="integers(1)", smooth=False),
    spp("pyramid_height: 3", (2, 3, 9, 8)),
    spp("pyramid_height: 3", (2, 3, 5, 8), refused="pad_h_ < kernel_h_"),
    spp("pyramid_height: 3", (2, 3, 8, 5), refused="pad_w_ < kernel_w_"),
    spp("pyramid_height: 2", (2, 3, 1, 2), refused="pad_h_ < kernel_h_"),
    spp("pyramid_height: 2 pool: STOCHASTIC", (2, 3, 5, 5), refused="Padding implemented only for average and max"),
    spp("pyramid_height: 0", (2, 3, 4, 4), refused=""),
    spp("", (2, 3, 4, 4), refused=""),
    spp("pyramid_height: 2", (2, 3, 4), refused="Input must have 4 axes, corresponding to (num, channels, height, "),
    spp("pyramid_height: 2", VOLUME, refused="Cannot use legacy accessors on Blobs with > 4 axes."),
    spp("pyramid_height: 2", (2, 3, 0, 4), refused="Input dimensions cannot be zero."),
]

CROPS = [
    crop("", (2, 3, 6, 5), (2, 3, 4, 3)),
    crop("offset: 2", (2, 3, 6, 5), (2, 3, 4, 3)),
    crop("offset: 1 offset: 2", (2, 3, 6, 5), (2, 3, 4, 3)),
    crop("axis: 2 offset: 0 offset: 1", (2, 3, 6, 5), (7, 9, 4, 3)),
    crop("axis: 1 offset: 1 offset: 0 offset: 2", (2, 4, 6, 5), (5, 2, 4, 3)),
    crop("axis: 0 offset: 1", (3, 4, 6, 5), (2, 2, 4, 3)),
    crop("axis: -1 offset: 1", (2, 3, 6, 5), (1, 1, 1, 3)),
    crop("axis: 3", (2, 3, 6, 5), (2, 3, 9, 3)),
    crop("axis: 2 offset: 1", (2, 3, 4, 5, 3), (2, 3, 3, 2, 2)),
    crop("axis: 1 offset: 2", (3, 7), (3, 4)),
    crop("axis: 0 offset: 2", (7,), (4,)),
    crop("", (2, 3, 4, 5), (2, 3, 4, 5)),
    crop("axis: 2", (2, 3, 6, 5), (2, 3, 4, 3, 2)),
    case("Crop", "propagate_down: false propagate_down: true", (2, 3, 6, 5), (2, 3, 4, 3)),
    crop("axis: 4", (2, 3, 6, 5), (2, 3, 4, 3), refused=OUT_OF_RANGE),
    crop("axis: -5", (2, 3, 6, 5), (2, 3, 4, 3), refused=OUT_OF_RANGE),
    crop("", (2, 3), (2, 3), refused=OUT_OF_RANGE),
    crop("", (2, 3, 6, 5), (2, 3, 6), refused=OUT_OF_RANGE),
    crop(
        "axis: 1 offset: 1 offset: 1",
        (2, 3, 6, 5),
        (2, 3, 4, 3),
        refused="number of offset values specified must be equal to the number of dimensions following axis.",
    ),
    crop(
        "offset: 3",
        (2, 3, 6, 5),
        (2, 3, 4, 3),
        refused="the crop for dimension 2 is out-of-bounds with size 4 and offset 3",
    ),
    crop("", (2, 3, 6, 5), (2, 3, 4, 6), refused="the crop for dimension 3 is out-of-bounds with size 6 and offset 0"),
    crop("", (2, 3, 6, 5), refused="Crop Layer takes 2 bottom blob(s) as input."),
    crop("", (2, 3, 6, 5), (2, 3, 4, 3), tops=2, refused="Crop Layer produces 1 top blob(s) as output."),
]

CASES = [*CONVOLUTIONS, *DECONVOLUTIONS, *IM2COLS, *POOLINGS, *SPPS, *CROPS]
