"""The findings of a check of a data set, as text and as plain values."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from fcn_caffe.data_layers.segdata.labels import VOID, Colour

SHOWN = 3
"""How many examples of a problem are shown."""


class Findings:
    """Collects findings while a data set is checked; `errors` must be corrected before training, `warnings` need not.

    pixels: how many there are of each value 0..255, over all labels. images_with: for each list, how many of its labels
    have each value. shown_as: the colour that palettes give a value. unusable_labels: how many labels are not among
    these, or have values that no class has.
    """

    def __init__(self, title: str, names: tuple[str, ...], n_classes: int | None):
        self.title, self.names, self.n_classes = title, names, n_classes
        self.images = 0
        self.splits: dict[str, int] = {}
        self.errors: dict[str, list[str]] = {}
        self.warnings: dict[str, list[str]] = {}
        self.image_modes: Counter[str] = Counter()
        self.label_kinds: Counter[str] = Counter()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.colours: set[tuple[int, ...]] = set()
        self.pixels = np.zeros(VOID + 1, np.int64)
        self.images_with: dict[str, np.ndarray] = {}
        self.unusable_labels = 0
        self.shown_as: dict[int, Colour] = {}

    def error(self, kind: str, *examples: str) -> None:
        """Add errors of a kind, each with an example; nothing without examples."""
        if examples:
            self.errors.setdefault(kind, []).extend(examples)

    def warning(self, kind: str, *examples: str) -> None:
        """Add warnings of a kind, each with an example; nothing without examples."""
        if examples:
            self.warnings.setdefault(kind, []).extend(examples)

    def name(self, cls: int) -> str:
        """The name of a class; "class 7" if it has none."""
        return self.names[cls] if cls < len(self.names) else f"class {cls}"

    def report(self) -> str:
        """Everything, as text: summary, classes, warnings, errors."""
        lines = [
            self.title,
            f"  {self.images} images; lists: {_counts(self.splits)}",
            f"  images are {_counts(self.image_modes)}; {_sizes(self.sizes)}",
            f"  labels are {_counts(self.label_kinds)}",
            *self._classes(),
        ]
        for what, problems in (("warning", self.warnings), ("ERROR", self.errors)):
            for kind, examples in problems.items():
                some = [example for example in examples[:SHOWN] if example]
                more = f", and {len(examples) - SHOWN} more" if len(examples) > SHOWN else ""
                lines.append(f"  {what}: {kind}" + (f" ({len(examples)}): {'; '.join(some)}{more}" if some else ""))
        lines.append(f"  {_kinds(self.errors, 'error')}, {_kinds(self.warnings, 'warning')}")
        return "\n".join(lines)

    def _classes(self) -> list[str]:
        total = max(int(self.pixels.sum()), 1)
        classes = self._present()
        width = max([5, *(len(self.name(cls)) for cls in classes)])
        splits = "".join(f"  {split:>10}" for split in self.images_with)
        lines = [f"  {'':3}  {'class':{width}}  {'of pixels':>10}  images with it: {splits}"]
        for cls in classes:
            counts = "".join(f"  {counts[cls]:10}" for counts in self.images_with.values())
            lines.append(
                f"  {cls:3}  {self.name(cls):{width}}  {self.pixels[cls] / total:10.3%}                  {counts}"
            )
        void = "".join(f"  {counts[VOID]:10}" for counts in self.images_with.values())
        lines.append(f"  {VOID:3}  {'void':{width}}  {self.pixels[VOID] / total:10.3%}                  {void}")
        return lines if self.pixels.any() else []

    def _present(self) -> list[int]:
        """The classes there should be, and every other value there is."""
        return sorted({*range(self.n_classes or 0), *np.flatnonzero(self.pixels[:VOID]).tolist()})

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "title": self.title,
            "images": self.images,
            "lists": self.splits,
            "image_modes": dict(self.image_modes),
            "label_kinds": dict(self.label_kinds),
            "sizes": {f"{width}x{height}": count for (width, height), count in self.sizes.most_common()},
            "n_classes": self.n_classes,
            "classes": {
                cls: {"name": self.name(cls), "pixels": int(self.pixels[cls])}
                | {split: int(counts[cls]) for split, counts in self.images_with.items()}
                for cls in self._present()
            },
            "void_pixels": int(self.pixels[VOID]),
            "colours": sorted(self.colours),
            "errors": self.errors,
            "warnings": self.warnings,
        }


def _kinds(problems: dict[str, list[str]], what: str) -> str:
    if not problems:
        return f"no {what}s"
    return f"{len(problems)} kind{'s' if len(problems) > 1 else ''} of {what}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items()) or "none"


def _sizes(sizes: Counter[tuple[int, int]]) -> str:
    if not sizes:
        return "no sizes"
    widths, heights = zip(*sizes)
    (width, height), count = sizes.most_common(1)[0]
    if len(sizes) == 1:
        return f"all {width}×{height}"
    return (
        f"{min(widths)}–{max(widths)} wide, {min(heights)}–{max(heights)} high, {len(sizes)} sizes, most often "
        f"{width}×{height} ({count})"
    )
