"""Images and labels in two folders, paired by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator

from fcn_caffe.data_layers.segdata import own_pictures, shown, text
from fcn_caffe.data_layers.segdata.files import ENDINGS, UNREAD


def by_stem(folder: str, what: str) -> dict[str, str]:
    """Every image file in a folder and the folders below it, by its path there without ending.

    Pictures that this project's tools wrote are no images, and of labels only their label maps are, so that results
    may lie beside what they were made of. what: images or labels, for this and for errors. Raises FileNotFoundError
    for a folder that does not exist, and ValueError for one without image files, or with two that differ in their
    ending only.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"there is no folder '{os.path.abspath(folder)}' of {what}. Correct its name, or start from the folder "
            "that it is relative to."
        )
    found: dict[str, str] = {}
    paths = files_below(folder)
    tell_unread(folder, paths)
    is_result = own_pictures.is_own if what == "images" else own_pictures.is_own_but_no_labels
    for path in without_results(folder, filter(is_image, paths), is_result):
        stem = text.composed(os.path.splitext(os.path.relpath(path, folder))[0])
        if stem in found:
            raise ValueError(f"{what} '{found[stem]}' and '{path}' have one name. Keep one of them.")
        found[stem] = path
    if not found:
        others = {os.path.splitext(path)[1].lower() for path in paths} - {""}
        there = f" It has files {', '.join(sorted(others)[:6])}: convert them to one of those kinds." if others else ""
        raise ValueError(
            f"the folder '{folder}' of {what} has no image file ({', '.join(ENDINGS)}).{there} Put them there, or "
            "correct its name."
        )
    return found


def files_below(folder: str) -> list[str]:
    """Every file in a folder and those below it, by links, too, but for what is hidden, in alphabetical order."""
    return sorted(_walked(folder, frozenset()))


def _walked(folder: str, above: frozenset[str]) -> Iterator[str]:
    """The same in no order. above: the real paths of the folders that this one lies in, to which no link may lead."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.startswith("."):
            continue
        if os.path.isdir(path):
            yield from _walked(path, above | {here})
        elif not _is_special(path):
            yield path


def _is_special(path: str) -> bool:
    """Whether this is a pipe, a socket or a device, from which nothing may ever come. A link to nothing is none."""
    return os.path.exists(path) and not os.path.isfile(path)


def tell_unread(folder: str, paths: list[str]) -> None:
    """Say which pictures are left out because they are of a kind that is not read."""
    unread = [path for path in paths if os.path.splitext(path)[1].lower() in UNREAD]
    if unread:
        print(
            f"WARNING: {len(unread)} picture(s) of '{folder}' are of a kind that is not read, such as '{unread[0]}', "
            "and are left out. Convert them to JPEG or PNG.",
            file=sys.stderr,
        )


def without_results(folder: str, paths: Iterable[str], is_result: Callable[[str], bool]) -> list[str]:
    """The files that are no results of this project's tools; says how many are."""
    kept: list[str] = []
    results: list[str] = []
    for path in paths:
        (results if is_result(path) else kept).append(path)
    if results:
        print(
            f"{len(results)} picture(s) of '{folder}' are results that a tool of this project wrote, such as "
            f"'{results[0]}', and are left out.",
            file=sys.stderr,
        )
    return kept


def is_image(path: str) -> bool:
    """Whether a file is an image, as its ending says, and not a hidden one."""
    return os.path.splitext(path)[1].lower() in ENDINGS and not os.path.basename(path).startswith(".")


def check_partners(names: Iterable[str], images: dict[str, str], labels: dict[str, str], source: str) -> None:
    """Raises FileNotFoundError unless every name has an image and a label; `source` is where the names are from."""
    for what, files in (("image", images), ("label", labels)):
        missing = [name for name in names if name not in files]
        if missing:
            some = shown.first(missing, 4)
            raise FileNotFoundError(
                f"{len(missing)} name(s) of {source} have no {what}: {some}. The two files of a pair have one name but "
                "for their endings. Add what is missing, or list the complete pairs in a file (split)."
            )


def check_named(names: Iterable[str], labels: dict[str, str], source: str) -> None:
    """Raises FileNotFoundError unless there is every label that a list names beside an image; `source` is the list."""
    missing = [name for name in names if name not in labels]
    if missing:
        some = shown.first(missing, 4)
        raise FileNotFoundError(
            f"{len(missing)} label(s) that {source} names are not there: {some}. Add what is missing, or correct the "
            "list."
        )
