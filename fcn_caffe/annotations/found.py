"""Annotations of any format: for each image, regions with the name of a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from fcn_caffe.annotations.regions import Region
from fcn_caffe.data_layers.segdata.labels import Colour

Painted = Iterator[tuple[Optional[str], Region]]
"""Regions, each over those before it, and the names of their classes; None is void."""


class Annotation(NamedTuple):
    """What is known of one image.

    image: what the image may be called, likeliest first, with or without folders and ending.
    size: the width and height that it is said to have; None where nothing is said.
    where: the annotation, for errors.
    paint: the regions, for the width and the height that the image has.
    """

    image: tuple[str, ...]
    size: Optional[tuple[int, int]]
    where: str
    paint: Callable[[int, int], Painted]


@dataclass
class Annotations:
    """What is found in a file or folder.

    form: whose annotations these are. drawn: what one thing of them is called, and several.
    items: an annotation for each image. names: of the classes, in order. objects: how many things each class has.
    colours: of classes, where the form has some. left_out: what is not drawn, and how often it comes.
    rest: whether pixels that no region has are a class of their own (or else there are none).
    """

    form: str
    drawn: tuple[str, str]
    items: list[Annotation] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    objects: Counter[str] = field(default_factory=Counter)
    colours: dict[str, Colour] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    rest: bool = True

    def count(self, name: str, objects: int = 1) -> None:
        """Count things of a class."""
        if name not in self.objects:
            self.names.append(name)
        self.objects[name] += objects

    def add(self, other: Annotations) -> None:
        """Add what was found in another file of the same form."""
        self.items += other.items
        for name in other.names:
            self.count(name, other.objects[name])
        self.left_out += other.left_out

    def report(self, path: str) -> str:
        """The counts, as text."""
        one, several = self.drawn
        total = sum(self.objects.values())
        lines = [f"{path}: {self.form} of {len(self.items)} images, {total} {one if total == 1 else several}"]
        if self.objects:
            lines.append("  " + ", ".join(f"{name} {self.objects[name]}" for name in self.names if self.objects[name]))
        if self.left_out:
            lines.append("  left out: " + ", ".join(f"{what} ({count})" for what, count in self.left_out.items()))
        return "\n".join(lines)
