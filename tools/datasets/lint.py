"""Looks at every image and every label of a data set, and collects what is wrong with them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from itertools import product

import numpy as np
from PIL import Image
from segdata import files
from segdata.labels import VOID, ColourMap

from tools import pictures
from tools.datasets.findings import Findings
from tools.datasets.layouts import Layout
from tools.progress import progress

MANY = 256
"""Labels with more colours than this are no labels but pictures."""


def look_over(layout: Layout) -> Findings:
    """What there is to say of a data set; nothing that is wrong with a file ends it."""
    found = Findings(layout.title, layout.names, layout.n_classes)
    _lists(layout, found)
    splits_of: dict[str, list[str]] = {}
    for split, names in layout.splits.items():
        for name in dict.fromkeys(names):
            splits_of.setdefault(name, []).append(split)
    hashes: dict[str, list[str]] = {}
    with progress("checking", "images", len(splits_of)) as advance:
        for name, splits in splits_of.items():
            size = _image(layout.image(name), name, found, hashes)
            classes = _label(layout, name, found)
            if classes is not None:
                _count(classes, splits, found)
                if size and classes.shape[::-1] != size:
                    found.error(
                        "image and label differ in size",
                        f"{name}: image {size[0]}×{size[1]}, label {classes.shape[1]}×{classes.shape[0]}",
                    )
                if not (classes != VOID).any():
                    found.warning("labels that are void everywhere", name)
            advance()
    found.splits = {split: len(names) for split, names in layout.splits.items()}
    found.images = len(splits_of)
    _duplicates(hashes.values(), splits_of, found)
    _values(found)
    return found


def _lists(layout: Layout, found: Findings) -> None:
    """Names twice in a list, and images to train on that are in a list to score on."""
    for split, names in layout.splits.items():
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1}) if len(names) < 100_000 else []
            found.warning(f"names twice in list {split}", *twice)
    to_score = {split: names for split, names in layout.splits.items() if not _trains(split)}
    for train, (other, names) in product(filter(_trains, layout.splits), {**to_score, **layout.elsewhere}.items()):
        if "trainval" in train and "val" in other:
            continue  # which is meant so
        found.error(f"images of list {train} are in list {other}, too", *sorted({*layout.splits[train]} & {*names}))


def _trains(split: str) -> bool:
    return "train" in split


def _image(path: str, name: str, found: Findings, hashes: dict[str, list[str]]) -> tuple[int, int] | None:
    """Decode an image; its width and height."""
    try:
        with Image.open(path, formats=files.FORMATS) as image:
            mode = image.mode
        pixels = files.read_image(path)
    except FileNotFoundError:
        found.error("missing images", path)
        return None
    except Image.DecompressionBombError as error:
        found.error("images too large for Pillow to open", f"{path}: {error}")
        return None
    except (ValueError, OSError) as error:
        found.error("unreadable images", str(error))
        return None
    found.image_modes[mode] += 1
    if mode in ("L", "LA", "1"):
        found.warning("gray images, which are read as gray RGB", name)
    elif mode.startswith("I"):
        found.warning("16-bit images, which are scaled to 8", name)
    elif mode != "RGB":
        found.warning(f"images of mode {mode}, which are converted to RGB", name)
    height, width = pixels.shape[:2]
    found.sizes[width, height] += 1
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=16, salt=f"{width}x{height}".encode()[:16]).hexdigest()
    hashes.setdefault(digest, []).append(name)
    return width, height


def _label(layout: Layout, name: str, found: Findings) -> np.ndarray | None:
    """A label as classes and void, height×width; None if it has none to give."""
    path = layout.label(name)
    try:
        if layout.read:
            found.label_kinds["the data set's own files"] += 1
            return layout.read(name)
        return _label_image(path, layout, found)
    except FileNotFoundError:
        found.error("missing labels", path)
    except Image.DecompressionBombError as error:
        found.error("labels too large for Pillow to open", f"{path}: {error}")
    except (ValueError, OSError) as error:
        found.error("labels that cannot be used", str(error))
    return None


def _label_image(path: str, layout: Layout, found: Findings) -> np.ndarray | None:
    with Image.open(path, formats=files.FORMATS) as image:
        kind = _kind(image)
        bands = len(image.getbands())
    found.label_kinds[kind] += 1
    if os.path.splitext(path)[1].lower() in (".jpg", ".jpeg"):
        found.error("labels as JPEG, whose values compression changes (save them as PNG)", path)
    if layout.colours:
        return ColourMap(layout.colours)(files.read_image(path), path)
    if bands > 1:
        colours = np.unique(files.read_image(path).reshape(-1, 3), axis=0)
        found.colours.update(map(tuple, colours[:MANY].tolist()))
        more = f"{len(colours)} colours: a picture?" if len(colours) > MANY else f"{len(colours)} colours"
        found.error("labels in colours, not class indices (list the colours in --classes FILE)", f"{path}: {more}")
        return None
    values = files.read_label(path)
    if values.dtype != np.uint8 and (values.min() < 0 or values.max() > VOID):
        found.error("labels with values over 8 bits", f"{path}: {values.min()} to {values.max()}")
        return None
    if layout.n_classes:
        counts = np.bincount(values.ravel(), minlength=VOID + 1)
        strange = [value for value in np.flatnonzero(counts[:VOID]).tolist() if value >= layout.n_classes]
        if strange:
            some = ", ".join(map(str, strange[:8]))
            found.error(f"label values that are neither 0..{layout.n_classes - 1} nor {VOID}", f"{path}: {some}")
    return values


def _kind(image: Image.Image) -> str:
    if image.mode == "P":
        own = np.array(image.getpalette() or [], np.uint8)
        known = pictures.palette(len(own) // 3).ravel()
        return "palette, VOC's colours" if (own[: 21 * 3] == known[: 21 * 3]).all() else "palette, other colours"
    kinds = {"L": "8-bit gray", "1": "1-bit", "I": "32-bit gray", "F": "floating point"}
    return kinds.get(image.mode) or ("16-bit gray" if image.mode.startswith("I") else f"colours ({image.mode})")


def _count(classes: np.ndarray, splits: Iterable[str], found: Findings) -> None:
    counts = np.bincount(classes.ravel(), minlength=VOID + 1)
    found.pixels += counts[: VOID + 1]
    for split in splits:
        found.images_with.setdefault(split, np.zeros(VOID + 1, np.int64))[:] += counts[: VOID + 1] > 0


def _duplicates(groups: Iterable[list[str]], splits_of: dict[str, list[str]], found: Findings) -> None:
    """Different names with the same pixels; worst where one is trained on and another scored on."""
    for names in groups:
        if len(names) < 2:
            continue
        splits = {split for name in names for split in splits_of[name]}
        across = any(map(_trains, splits)) and not all(map(_trains, splits))
        what = "the same image under two names, to train on and to score on" if across else "the same image twice"
        found.warning(what, " = ".join(names))


def _values(found: Findings) -> None:
    """What the values of all labels together tell."""
    values = np.flatnonzero(found.pixels[:VOID]).tolist()
    if found.n_classes is None:
        found.n_classes = values[-1] + 1 if values else 0
        if values == [0] and found.pixels[VOID]:
            found.warning(f"masks of 0 and {VOID}, which is void: nothing is left to learn (save them as 0 and 1)", "")
        elif len(values) < found.n_classes / 2:
            found.warning("gaps in the label values: are they class indices?", ", ".join(map(str, values[:12])))
    elif found.images:
        absent = [found.name(cls) for cls in range(found.n_classes) if cls not in values]
        found.warning("classes that no label has", *absent)
    if found.colours and found.colours <= set(map(tuple, pictures.palette().tolist())):
        found.warning("the labels' colours are all of VOC's palette: they are class indices, looked up", "")
