"""Layers that read databases, image files and windows of images.

What is drawn at random is compared too: a Python layer in front of the data layer calls `caffe.set_random_seed`.
"""

from tests.cases.case import case, net_case
from tests.cases.data_files import empty_lmdb, encoded_lmdb, float_lmdb, growing_lmdb, image_list, raw_lmdb, windows

SEED = 'layer { name: "seed" type: "Python" python_param { module: "seed_layer" layer: "Seed" param_str: "7" } }'
MEAN = "mean_file: 'mean.binaryproto'"


def transformed(transform: str) -> str:
    return f" transform_param {{ {transform} }}" if transform else ""


def data(settings: str, transform: str = "", *, source="lmdb", backend="LMDB", files=raw_lmdb, tops=2, **more):
    body = f"data_param {{ source: '{source}' backend: {backend} {settings} }}" + transformed(transform)
    name = f"Data, {files.__name__}, {source} {backend}, {settings}, {transform}, {tops} tops, {more.get('phase', '')}"
    return case("Data", body, id=name, tops=tops, files=files, backward=False, **more)


def image_data(settings: str, transform: str = "", *, source="same", tops=2, **more):
    body = f"image_data_param {{ source: '{source}.txt' {settings} }}" + transformed(transform)
    name = f"ImageData, {source}, {settings}, {transform}, {tops} tops"
    return case("ImageData", body, id=name, tops=tops, files=image_list, backward=False, **more)


def seeded(id: str, type: str, body: str, **more):
    """A layer that draws at random, after a layer that sets the seed."""
    text = f'{SEED}\nlayer {{ name: "layer" type: "{type}" top: "data" top: "label" {body} }}\n'
    return net_case(f"{type}, seeded, {id}", text, backward=False, **more)


def seeded_data(transform: str, **more):
    body = "data_param { source: 'lmdb' backend: LMDB batch_size: 5 }" + transformed(transform)
    return seeded(transform, "Data", body, files=raw_lmdb, forwards=3, **more)


def seeded_images(settings: str, transform: str = "", **more):
    body = f"image_data_param {{ {settings} }}" + transformed(transform)
    return seeded(f"{settings}, {transform}", "ImageData", body, files=image_list, forwards=4, **more)


def window_data(settings: str, transform: str, source="windows", **more):
    body = f"window_data_param {{ source: '{source}.txt' batch_size: 6 {settings} }}" + transformed(transform)
    return seeded(f"{source}, {settings}, {transform}", "WindowData", body, files=windows, **{"forwards": 3, **more})


def old(type: str, body: str, files):
    """A V1 layer, whose transformation stands among its own settings."""
    text = f'layers {{ name: "layer" type: {type} top: "data" top: "label" {body} }}\n'
    return net_case(f"V1, {type}, {body}", text, files=files, phase="TEST", backward=False)


CASES = [
    old(
        "DATA", f"data_param {{ source: 'lmdb' backend: LMDB batch_size: 2 scale: 0.5 crop_size: 4 {MEAN} }}", raw_lmdb
    ),
    old("IMAGE_DATA", "image_data_param { source: 'sizes.txt' batch_size: 3 scale: 3 crop_size: 4 }", image_list),
    data("batch_size: 2", forwards=3),
    data("batch_size: 3 prefetch: 1", tops=1, forwards=2),
    data("batch_size: 7"),
    data("batch_size: 2 rand_skip: 3"),
    data("batch_size: 2 scale: 0.5 crop_size: 2 mirror: true " + MEAN),
    data("batch_size: 2", "scale: 0.0039 mean_value: 100"),
    data("batch_size: 2", "mean_value: 104 mean_value: 117 mean_value: 123.5"),
    data("batch_size: 2", "scale: 2 " + MEAN),
    data("batch_size: 2", "crop_size: 3 " + MEAN, phase="TEST"),
    data("batch_size: 2", "crop_size: 4", phase="TEST"),
    data("batch_size: 2", "force_color: true"),
    data("batch_size: 2", "force_gray: true force_color: true"),
    data("batch_size: 2", "crop_size: 6", phase="TEST", refused=">= crop_size"),
    data(
        "batch_size: 2", "mean_value: 1 mean_value: 2", refused="Specify either 1 mean_value or as many as channels: 3"
    ),
    data("batch_size: 2", "mean_value: 1 " + MEAN, refused="Cannot specify mean_file and mean_value at the same time"),
    data("batch_size: 2", "mean_file: 'other_mean.binaryproto'", refused=""),
    data("batch_size: 2", "mean_file: 'none.binaryproto'", refused=""),
    data("batch_size: 2", files=float_lmdb, forwards=2),
    data("batch_size: 3", "scale: 3 mean_value: 0.5", files=float_lmdb),
    data("batch_size: 1", files=growing_lmdb, forwards=4),
    data("batch_size: 2", files=growing_lmdb, refused=""),
    data("batch_size: 2", files=encoded_lmdb, refused=""),
    data("batch_size: 2", files=encoded_lmdb, source="color"),
    data("batch_size: 2", files=encoded_lmdb, source="grey"),
    data("batch_size: 2", files=encoded_lmdb, source="alpha"),
    data("batch_size: 2", "force_color: true", files=encoded_lmdb),
    data("batch_size: 2", "force_gray: true", files=encoded_lmdb),
    data(
        "batch_size: 2",
        "force_gray: true force_color: true",
        files=encoded_lmdb,
        refused="cannot set both force_color and force_gray",
    ),
    data("batch_size: 2 force_encoded_color: true", files=encoded_lmdb, refused=""),
    data("batch_size: 2", source="none", refused=""),
    data("batch_size: 2", backend="LEVELDB", refused=""),
    data("batch_size: 2", files=empty_lmdb, refused=""),
    data("batch_size: 2", tops=3, refused="Data Layer produces at most 2 top blob(s) as output."),
    seeded_data("crop_size: 3"),
    seeded_data("crop_size: 4 mirror: true " + MEAN),
    seeded_data("mirror: true", phase="TEST"),
    image_data("batch_size: 2", forwards=2),
    image_data(""),
    image_data("batch_size: 2 is_color: false", "scale: 0.5 mean_value: 9"),
    image_data("batch_size: 2 root_folder: './'", "crop_size: 2", phase="TEST"),
    image_data("batch_size: 2", MEAN, phase="TEST"),
    image_data("batch_size: 2", "force_gray: true"),
    image_data("batch_size: 2 is_color: false", "force_color: true"),
    image_data("batch_size: 5 new_height: 6 new_width: 5", source="sizes"),
    image_data("batch_size: 5 new_height: 17 new_width: 4 is_color: false", source="sizes"),
    image_data("batch_size: 5", "crop_size: 3", source="sizes", phase="TEST"),
    image_data("batch_size: 1", source="sizes", forwards=6),
    image_data("batch_size: 5", source="sizes", refused=""),
    image_data("batch_size: 4 root_folder: 'images/'", source="modes"),
    image_data("batch_size: 4 root_folder: 'images/' is_color: false", source="modes"),
    image_data("batch_size: 2", source="no_labels"),
    image_data("batch_size: 2 scale: 0.5 mirror: true crop_size: 2"),
    image_data(
        "new_height: 6",
        refused="Current implementation requires new_height and new_width to be set at the same time.",
    ),
    image_data("batch_size: 0", refused="Positive batch size required"),
    image_data("batch_size: 2", source="missing", refused="Could not load "),
    image_data("", source="empty", refused="File is empty"),
    image_data("", source="none", refused=""),
    image_data("", tops=1, refused="ImageData Layer produces 2 top blob(s) as output."),
    seeded_images("source: 'same.txt' batch_size: 2 shuffle: true", "crop_size: 4 mirror: true"),
    seeded_images("source: 'sizes.txt' shuffle: true rand_skip: 5"),
    seeded_images("source: 'sizes.txt' rand_skip: 4"),
    seeded_images(
        "source: 'same.txt' shuffle: true } transform_param { crop_size: 4 mirror: true } } "
        "layer { name: 'second' type: 'ImageData' top: 'data2' top: 'label2' "
        "image_data_param { source: 'same.txt' shuffle: true is_color: false",
        "crop_size: 4",
    ),
    window_data("", "crop_size: 8"),
    window_data("scale: 0.25", "crop_size: 8 mirror: true mean_value: 100"),
    window_data("", "crop_size: 8 scale: 0.25"),
    window_data("", "crop_size: 8 " + MEAN),
    window_data("context_pad: 2", "crop_size: 12 mirror: true " + MEAN),
    window_data("crop_mode: 'square'", "crop_size: 9 mirror: true mean_value: 1 mean_value: 2 mean_value: 3"),
    window_data("crop_mode: 'square' context_pad: 3 cache_images: true root_folder: './'", "crop_size: 13"),
    window_data("fg_threshold: 0.55 bg_threshold: 0.2 fg_fraction: 0.7", "crop_size: 8 mirror: true"),
    window_data("crop_size: 8", "", refused="crop_size > 0"),
    window_data("", "crop_size: 8", source="objects", refused=""),
    window_data("", "crop_size: 8", source="no_class", refused=""),
    window_data("", "crop_size: 8", source="empty", refused="Window file is empty"),
    window_data("", "crop_size: 8", source="none", refused="Failed to open window file"),
    window_data("", "crop_size: 8 mean_value: 1 mean_value: 2", refused="Specify either 1 mean_value or as many as"),
    case("WindowData", "window_data_param { source: 'windows.txt' }", files=windows, refused=""),
]
