"""Makes the label images and the list of classes of a new task from annotations."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from fcn_caffe.annotations import find, label_images
from fcn_caffe.annotations.found import Annotation, Annotations
from fcn_caffe.data_layers.segdata import classes, files, pairs, shown, text
from fcn_caffe.data_layers.segdata.classes import IGNORED, VOID_NAME, ClassList
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.pictures import drawing
from fcn_caffe.pictures.legend import BACKGROUNDS
from fcn_caffe.progress import progress

AUTO = "auto"
LABELS, CLASSES = "labels", "classes.txt"
NO_CLASSES = (VOID_NAME, IGNORED, "ignore")
"""What annotations call regions that are void, unless a list of classes has such a class."""
MOST_PROBLEMS = 3


class TaskLabels(NamedTuple):
    """What a new task reads: its labels, in the task's own folder if `own`, and its classes."""

    labels: str
    own: bool
    class_file: str


def take(images: Mapping[str, str], labels: str, class_file: str, folder: Path, upright: bool) -> TaskLabels:
    """Find the labels, report them, and write what is missing into `folder`: classes.txt, and, unless they are label
    images, labels/ with a PNG for each image. The user's files do not change.

    images: their paths by name. class_file: the list of classes, or AUTO. upright: whether images are turned as their
    EXIF orientation says.
    Raises ValueError and FileNotFoundError for what cannot be used.
    """
    given = None if class_file == AUTO else classes.read(class_file)
    opened = find.opened(labels, folder / "unpacked")
    found, own = find.find(opened), folder / LABELS
    if given is None or found:
        class_file = str(folder / CLASSES)
    try:
        if found is not None:
            print(found.report(labels))
            names = _draw(images, found, given, own, upright)
            Path(class_file).write_text(names, encoding="utf-8")
            return TaskLabels(str(own), True, class_file)
        if opened != labels:
            shutil.copytree(opened, own)
        read = str(own) if opened != labels else labels
        if given is None:
            seen = label_images.classes(_of_images(images, pairs.by_stem(read, "labels")))
            print(label_images.report(seen))
            Path(class_file).write_text(label_images.text(seen), encoding="utf-8")
        return TaskLabels(read, read != labels, class_file)
    finally:
        shutil.rmtree(folder / "unpacked", ignore_errors=True)


def _of_images(images: Mapping[str, str], labels: Mapping[str, str]) -> list[str]:
    """The labels that belong to images, or all where names tell nothing of that."""
    return [labels[name] for name in images if name in labels] or list(labels.values())


def _draw(
    images: Mapping[str, str], found: Annotations, given: Optional[ClassList], folder: Path, upright: bool
) -> str:
    """Draw a label for each image that is annotated; the list of classes in which they are drawn."""
    numbers, rest, listed = _classes(found, given)
    matched = _match(images, found)
    problems, bare = [], 0
    colours = drawing.class_colours(listed.colours)
    with progress("drawing labels", "images", len(matched)) as advance:
        for name, item in matched.items():
            try:
                label = _label(images[name], item, numbers, rest, upright)
                bare += bool((label == rest).all())
                drawing.save_labels(label, folder / f"{name}.png", colours)
            except ValueError as error:
                problems.append(str(error))
            advance()
    if problems:
        more = f" And {len(problems) - MOST_PROBLEMS} more of the kind." if len(problems) > MOST_PROBLEMS else ""
        raise ValueError("\n  ".join(problems[:MOST_PROBLEMS]) + more)
    what = "void" if rest == VOID else listed.names[rest]
    print(f"  drew {len(matched)} labels" + (f"; what no {found.drawn[0]} covers is {what}" if found.rest else ""))
    if bare and found.rest:
        print(f"  {bare} of them have no {found.drawn[0]}: they are {what} everywhere")
    return _text(listed)


def _classes(found: Annotations, given: Optional[ClassList]) -> tuple[dict[str, int], int, ClassList]:
    """The number of each name, that of pixels without a region, and the list of classes."""
    if given is None:
        names = [name for name in found.names if name.lower() not in NO_CLASSES]
        ground = [name for name in names if name.lower() in BACKGROUNDS][:1] or (["background"] if found.rest else [])
        names = [*ground, *(name for name in names if name not in ground)]
        given = ClassList(tuple(names), _colours(found, names))
    numbers = {name: number for number, name in enumerate(given.names)}
    unknown = [name for name in found.names if name not in numbers and name.lower() not in NO_CLASSES]
    if unknown:
        raise ValueError(
            f"the annotations have the classes {shown.first(unknown, 6)}, which the list of classes has not. Add them, "
            "correct their names, or give --classes auto."
        )
    if not given.names or len(given.names) > VOID:
        raise ValueError(f"the annotations have {len(given.names)} classes, expected 1 to {VOID}. List those you want.")
    rest = next((number for name, number in numbers.items() if name.lower() in BACKGROUNDS), VOID)
    return {**dict.fromkeys(found.names, VOID), **numbers}, rest, given


def _colours(found: Annotations, names: Iterable[str]) -> dict[tuple[int, int, int], int]:
    """The classes' own colours, and one for void; none unless every class has one."""
    colours = {found.colours[name]: number for number, name in enumerate(names) if name in found.colours}
    if len(colours) < len(list(names)):
        return {}
    void = next(colour for colour in label_images.FREE if colour not in colours)
    return {**colours, void: VOID}


def _text(listed: ClassList) -> str:
    if not listed.colours:
        return "".join(f"{name}\n" for name in listed.names)
    ordered = sorted(listed.colours.items(), key=lambda each: each[1])
    names = {VOID: VOID_NAME, **dict(enumerate(listed.names))}
    return "".join(f"{names[cls]} {' '.join(map(str, colour))}\n" for colour, cls in ordered)


def _match(images: Mapping[str, str], found: Annotations) -> dict[str, Annotation]:
    """Annotations by the names of their images; says how many have none. Raises ValueError where none has one, and for
    two of one image."""
    by_file: dict[str, list[str]] = {}
    for image in images:
        by_file.setdefault(os.path.basename(image), []).append(image)
    matched: dict[str, Annotation] = {}
    lost: list[str] = []
    elsewhere: list[str] = []
    for item in found.items:
        name = next((each for each in (_image(said, images, by_file) for said in item.image) if each is not None), None)
        if name is None:
            lost.append(item.image[0])
        elif name in matched:
            raise ValueError(f"{matched[name].where} and {item.where} are both of image '{name}'. Keep one of them.")
        else:
            matched[name] = item
            if all(_is_elsewhere(said, name) for said in item.image):
                elsewhere.append(f"{item.image[0]} for {images[name]}")
    if lost and not matched:
        raise ValueError(
            f"no annotation is of an image that is there: they are of {shown.first(lost, 3)}, and there are images "
            f"such as {shown.first(images.values(), 2)}. Name the folder of these images with --images."
        )
    if lost:
        print(f"  {len(lost)} annotation(s) are of images that are not there, and left out: {shown.first(lost, 3)}")
    if elsewhere:
        print(
            f"  {len(elsewhere)} annotation(s) name another folder, and were taken for the only image that is called "
            f"so: {shown.first(elsewhere, 3)}"
        )
    return {name: matched[name] for name in images if name in matched}


def _image(named: str, images: Mapping[str, str], by_file: Mapping[str, list[str]]) -> Optional[str]:
    """The image that a path means: by all of it, by its last folders, or by a file name that comes once."""
    for stem in _stems(named):
        parts = stem.split("/")
        for first in range(len(parts)):
            if "/".join(parts[first:]) in images:
                return "/".join(parts[first:])
        alone = by_file.get(parts[-1], [])
        if len(alone) == 1:
            return alone[0]
    return None


def _stems(named: str) -> list[str]:
    """A path without ending; that of photo.jpg.png also without the second, which is an image's. 7 is none of
    frame.7."""
    whole = text.composed(named.replace("\\", "/")).lstrip("./")
    stem, ending = os.path.splitext(whole)
    if not any(map(str.isalpha, ending)):
        return [whole]
    return [stem, os.path.splitext(stem)[0]] if pairs.is_image(stem) else [stem]


def _is_elsewhere(named: str, name: str) -> bool:
    """Whether a path names another folder than that of the image that it was taken for."""
    return "/" in name and all(
        "/" in stem and not f"/{stem}".endswith(f"/{name}") and not f"/{name}".endswith(f"/{stem}")
        for stem in _stems(named)
    )


def _label(path: str, item: Annotation, numbers: Mapping[str, int], rest: int, upright: bool) -> np.ndarray:
    """The label of an image, height×width. Raises ValueError for an annotation of another size."""
    looks = files.look(path)
    size, other = looks.upright_size, looks.size
    if not upright:
        size, other = other, size
    width, height = size
    if item.size not in (None, size):
        said = "{}×{}".format(*(item.size or ()))
        why = "Is it the annotation of another version of the image?"
        if item.size == other:
            why = f"It was made {'on the picture as it is stored' if upright else 'on the upright picture'}: "
            why += "give --as-stored." if upright else "leave out --as-stored."
        raise ValueError(f"{item.where} is of an image of {said}, and '{path}' is {width}×{height}. {why}")
    label = np.full((height, width), rest, np.uint8)
    for name, region in item.paint(width, height):
        region.fill(label, VOID if name is None else numbers[name])
    return label
