"""Checks every image and every label of a data set, and collects the problems."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import product

import numpy as np
from PIL import Image

from fcn_caffe.data_layers.segdata import files, shown
from fcn_caffe.data_layers.segdata.labels import VOID, ColourMap, palette_colours
from fcn_caffe.datasets import label_values
from fcn_caffe.datasets.findings import Findings
from fcn_caffe.datasets.layouts import Layout
from fcn_caffe.pictures import drawing
from fcn_caffe.progress import progress

MANY = 256
"""Labels with more colours than this are no labels but pictures."""


def look_over(layout: Layout) -> Findings:
    """The findings on a data set; problems with a file do not end the check."""
    found = Findings(layout.title, layout.names, layout.n_classes)
    _lists(layout, found)
    splits_of: dict[str, list[str]] = {}
    for split, names in layout.splits.items():
        for name in dict.fromkeys(names):
            splits_of.setdefault(name, []).append(split)
    hashes: dict[str, list[str]] = {}
    with progress("checking", "images", len(splits_of)) as advance:
        for name, splits in splits_of.items():
            looks = _image(layout, name, found, hashes)
            classes = _label(layout, name, found)
            if classes is not None:
                _count(classes, splits, found)
                if looks:
                    _sizes(layout, name, looks, (classes.shape[1], classes.shape[0]), found)
                if not (classes != VOID).any():
                    found.warning("labels that are void everywhere", name)
            advance()
    found.splits = {split: len(names) for split, names in layout.splits.items()}
    found.images = len(splits_of)
    _duplicates(hashes.values(), splits_of, layout, found)
    label_values.judge(layout, found, list(filter(layout.trains, layout.splits)))
    return found


def _lists(layout: Layout, found: Findings) -> None:
    """Names twice in a list, and images to train on that are in a list to score on."""
    for split, names in layout.splits.items():
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1}) if len(names) < 100_000 else []
            found.warning(f"names twice in list {split}", *twice)
    to_score = {split: names for split, names in layout.splits.items() if not layout.trains(split)}
    for train, (other, names) in product(
        filter(layout.trains, layout.splits), {**to_score, **layout.elsewhere}.items()
    ):
        if "trainval" in train and "val" in other:
            continue  # which is intended
        found.error(f"images of list {train} are in list {other}, too", *sorted({*layout.splits[train]} & {*names}))


def _image(layout: Layout, name: str, found: Findings, hashes: dict[str, list[str]]) -> files.Looks | None:
    """Decode an image; what its file says of it, None if it cannot be used."""
    path = layout.image(name)
    try:
        looks = files.look(path)
        pixels = files.read_image(path, layout.upright)
    except FileNotFoundError:
        found.error("missing images", path)
        return None
    except (ValueError, OSError) as error:
        found.error("unreadable images", str(error))
        return None
    found.image_modes[looks.mode] += 1
    if looks.mode in ("L", "LA", "1"):
        found.warning("gray images, which are read as gray RGB", name)
    elif looks.mode.startswith("I"):
        found.warning("16-bit images, which are scaled to 8", name)
    elif looks.mode != "RGB":
        found.warning(f"images of mode {looks.mode}, which are converted to RGB", name)
    height, width = pixels.shape[:2]
    found.sizes[width, height] += 1
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=16, salt=f"{width}x{height}".encode()[:16]).hexdigest()
    hashes.setdefault(digest, []).append(name)
    return looks


def _sizes(layout: Layout, name: str, looks: files.Looks, label: tuple[int, int], found: Findings) -> None:
    """Compare the sizes (width, height) of an image and its label; they also tell whether both lie alike."""
    expected, other = looks.upright_size, looks.size
    if not layout.upright:
        expected, other = other, expected
    if label != expected:
        kind = "image and label differ in size"
        if label == other:
            kind = (
                "labels made on the upright picture, images taken as they are stored (leave out --as-stored)"
                if not layout.upright
                else "images that EXIF turns upright, with labels made on the pictures as they are stored (give "
                "--as-stored, or turn the labels)"
            )
        found.error(kind, f"{name}: image {expected[0]}×{expected[1]}, label {label[0]}×{label[1]}")
    elif layout.upright and layout.read is None and not looks.size_tells:
        found.warning(
            "images that EXIF turns upright by half a turn, mirrors, or that are square: sizes cannot tell whether "
            "their labels were made on the upright picture; look at some, and if not, give --as-stored",
            name,
        )


def _label(layout: Layout, name: str, found: Findings) -> np.ndarray | None:
    """A label as classes and void, height×width; None if it has none to give."""
    path = layout.label(name)
    try:
        if layout.read:
            found.label_kinds["the data set's own files"] += 1
            return layout.read(name)
        classes = _label_image(path, layout, found)
    except FileNotFoundError:
        found.error("missing labels", path)
        classes = None
    except (ValueError, OSError) as error:
        found.error("labels that cannot be used", str(error))
        classes = None
    found.unusable_labels += classes is None
    return classes


def _label_image(path: str, layout: Layout, found: Findings) -> np.ndarray | None:
    with files.open_image(path, layout.upright) as image:
        kind, bands = _kind(image), len(image.getbands())
        palette = image.getpalette() if image.mode == "P" else None
        if "A" in image.getbands() and len(set(image.getchannel("A").getextrema())) > 1:
            found.warning("labels some pixels of which are transparent, which is not read: only colours count", path)
    found.label_kinds[kind] += 1
    if files.look(path).form == "JPEG":
        found.error("labels as JPEG, whose values compression changes (save them as PNG)", path)
        return None
    if layout.colours:
        return _coloured(path, bands, layout, found)
    if bands > 1:
        colours = np.unique(files.read_image(path).reshape(-1, 3), axis=0)
        found.colours.update(map(tuple, colours[:MANY].tolist()))
        more = f"{len(colours)} colour{'s' if len(colours) > 1 else ''}" + (
            ": a picture?" if len(colours) > MANY else ""
        )
        found.error("labels in colours, not class indices (list the colours in --classes FILE)", f"{path}: {more}")
        return None
    values = files.read_label(path, layout.upright)
    if palette and values.dtype == np.uint8:
        _palette(path, values, palette, found)
    if values.dtype != np.uint8 and (values.min() < 0 or values.max() > VOID):
        found.error("labels with values over 8 bits", f"{path}: {values.min()} to {values.max()}")
        return None
    strange = _strange(values, layout.n_classes)
    if strange:
        some = shown.first(strange, 8)
        found.error(f"label values that are neither 0..{(layout.n_classes or 0) - 1} nor {VOID}", f"{path}: {some}")
        found.unusable_labels += 1
    return values


def _palette(path: str, values: np.ndarray, palette: list[int], found: Findings) -> None:
    """Compare a label's palette with those of the labels before it."""
    for value, colour in palette_colours(values, palette).items():
        before = found.shown_as.setdefault(value, colour)
        if before != colour:
            found.warning(
                "label palettes that give one value different colours, while it is the values that count: if the "
                "colours are right, list them (name red green blue)",
                f"{path}: {value} is {colour}, elsewhere {before}",
            )
            return


def _coloured(path: str, bands: int, layout: Layout, found: Findings) -> np.ndarray | None:
    """The classes of a label whose classes are colours; class indices in their place are told."""
    try:
        return ColourMap(layout.colours)(files.read_colours(path, layout.upright), path)
    except ValueError:
        if bands > 1 or _strange(files.read_label(path, layout.upright), layout.n_classes):
            raise
    found.error("labels that are class indices, while the list of classes has colours (leave these out)", path)
    return None


def _strange(values: np.ndarray, n_classes: int | None) -> list[int]:
    """The values, of 8 bits, that are neither a class nor void; none where the number of classes is not known."""
    counts = np.bincount(values.ravel(), minlength=VOID + 1)
    return [value for value in np.flatnonzero(counts).tolist() if n_classes and value >= n_classes and value != VOID]


def _kind(image: Image.Image) -> str:
    if image.mode == "P":
        own = np.array(image.getpalette() or [], np.uint8)
        known = drawing.palette(len(own) // 3).ravel()
        return "palette, VOC's colours" if (own[: 21 * 3] == known[: 21 * 3]).all() else "palette, other colours"
    kinds = {"L": "8-bit gray", "1": "1-bit", "I": "32-bit gray", "F": "floating point"}
    return kinds.get(image.mode) or ("16-bit gray" if image.mode.startswith("I") else f"colours ({image.mode})")


def _count(classes: np.ndarray, splits: Iterable[str], found: Findings) -> None:
    counts = np.bincount(classes.ravel(), minlength=VOID + 1)
    found.pixels += counts[: VOID + 1]
    for split in splits:
        found.images_with.setdefault(split, np.zeros(VOID + 1, np.int64))[:] += counts[: VOID + 1] > 0


def _duplicates(groups: Iterable[list[str]], splits_of: dict[str, list[str]], layout: Layout, found: Findings) -> None:
    """Different names with the same pixels; worst where one is trained on and another scored on."""
    for names in groups:
        if len(names) < 2:
            continue
        splits = {split for name in names for split in splits_of[name]}
        across = any(map(layout.trains, splits)) and not all(map(layout.trains, splits))
        what = "the same image under two names, to train on and to score on" if across else "the same image twice"
        found.warning(what, " = ".join(names))
