"""COCO's annotations: one JSON file with images, categories, and polygons or run lengths."""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import Any

from fcn_caffe.annotations import documents, regions
from fcn_caffe.annotations.found import Annotation, Annotations, Painted


def is_one(values: Any) -> bool:
    """Whether a JSON file is COCO's."""
    return isinstance(values, dict) and all(
        isinstance(values.get(key), list) for key in ("images", "annotations", "categories")
    )


def read(path: str, values: Any) -> Annotations:
    """The annotations in COCO's file. Crowds are void, and lie below everything else.

    Raises ValueError for a file that names images or categories that it does not have, or boxes alone.
    """
    found = Annotations("COCO's annotations", ("object", "objects"))
    names = {}
    for category in values["categories"]:
        where = f"'{path}', a category"
        names[documents.member(category, "id", int, where)] = documents.class_name(category.get("name"), where)
    of_image = _objects(path, values["annotations"], names, found)
    known: dict[int, int] = {}
    for number, image in enumerate(values["images"]):
        where = f"'{path}', image {number}"
        own = documents.member(image, "id", int, where)
        if known.setdefault(own, number) != number:
            raise ValueError(
                f"{where} has the id {own}, as has image {known[own]}: nobody knows whose annotations are whose. Give "
                "each image an id of its own, or export the file again."
            )
        objects = sorted(of_image.pop(own, []), key=lambda each: each[0])
        file_name = documents.member(image, "file_name", str, where)
        size = documents.size(image.get("width"), image.get("height"))
        found.items.append(Annotation((file_name,), size, where, functools.partial(_paint, objects)))
    if of_image:
        raise ValueError(
            f"'{path}': {len(of_image)} image(s) have annotations and are not listed, such as that with the id "
            f"{next(iter(of_image))}. Export the file again."
        )
    found.names = [name for name in dict.fromkeys(names.values()) if found.objects[name]]
    return found


def _objects(path: str, annotations: list[Any], names: dict[int, str], found: Annotations) -> dict[int, list[Any]]:
    """What is to be drawn of each image, by its id, and what comes later over what comes first; counted in `found`."""
    of_image: dict[int, list[Any]] = defaultdict(list)
    for number, each in enumerate(annotations):
        where = f"'{path}', annotation {number}"
        image, category = (documents.member(each, key, int, where) for key in ("image_id", "category_id"))
        if category not in names:
            raise ValueError(f"{where}: there is no category {category}. Export the file again.")
        segmentation = each.get("segmentation")
        if not segmentation:
            found.left_out["boxes and points without a segmentation"] += 1
            continue
        crowd = bool(each.get("iscrowd"))
        if crowd:
            found.left_out["crowds, which are void"] += 1
        else:
            found.count(names[category])
        of_image[image].append((not crowd, None if crowd else names[category], segmentation, where))
    if annotations and not of_image:
        raise ValueError(f"'{path}' has boxes or points alone, expected segmentations. Export it with these.")
    return of_image


def _paint(objects: list[Any], width: int, height: int) -> Painted:
    for _, name, segmentation, where in objects:
        if isinstance(segmentation, dict):
            size = segmentation.get("size")
            if size != [height, width]:
                raise ValueError(
                    f"{where}: the run lengths are of {str(size)[:40]} rows and columns, expected {[height, width]}. "
                    "Is it the annotation of another version of the image?"
                )
            yield name, regions.run_lengths(segmentation.get("counts"), width, height, where)
        elif isinstance(segmentation, list):
            for polygon in segmentation:
                yield name, regions.polygon(documents.points(polygon, 3, where), width, height)
        else:
            raise ValueError(f"{where}: the segmentation is neither polygons nor run lengths. Export the file again.")
