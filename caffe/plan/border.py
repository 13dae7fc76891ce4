"""Where maps have a constant border, of which one row is computed instead of a hundred.

The first convolution of an FCN pads its image by 100 pixels of zeros. Some rows have the image in their receptive
field, others the edge of the map, where later convolutions pad with zeros again. Between them lies a run of rows that
are all alike; of columns likewise. A short map (caffe/blob/short_map.py) holds few rows of such a run. Layers compute
on short maps what they would compute on whole ones. Where a layer needs more rows of the run, they are repeated.

All this follows from receptive fields, one axis at a time, and is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from caffe.blob.short_map import Short
from caffe.layer_types.base import ReceptiveField


@dataclass(frozen=True)
class Run:
    """Rows start … end − 1 of a whole map, all alike."""

    start: int
    end: int

    @property
    def surplus(self) -> int:
        """How many rows can be left out: all but one."""
        return max(0, self.end - self.start - 1)

    def through(self, field: ReceptiveField) -> "Run":
        """The rows of the top whose receptive field lies in this run."""
        start = -(-(self.start + field.pad) // field.stride)
        return Run(start, (self.end + field.pad - field.extent) // field.stride + 1)


@dataclass(frozen=True)
class Step:
    """One layer along one axis: what its bottom and its top lack, and how much less than its pad it pads the bottom."""

    bottom: Short | None
    top: Short
    pad_less: tuple[int, int] = (0, 0)


def plan(fields: Sequence[ReceptiveField], size: int) -> list[Step]:
    """A step for each layer of a chain on an image of `size` pixels along one axis, up to the first that lacks nothing.

    The first layer pads with zeros. Up to the next stride all maps lack the same; only there, where maps are smaller,
    rows come back.
    """
    runs = [(Run(-fields[0].pad, 0), Run(size, size + fields[0].pad))]
    for field in fields:
        runs.append((runs[-1][0].through(field), runs[-1][1].through(field)))
    steps: list[Step] = []
    missing = runs[1][0].surplus, runs[1][1].surplus
    for first, last in _stages(fields):
        stride = fields[last].stride if last else 1
        low, high = (
            _fewest(count, [run[side] for run in runs[max(first, 1) : last + 1]], runs[last + 1][side], stride)
            for side, count in enumerate(missing)
        )
        if not low + high:
            break
        for index in range(first, last + 1):
            missing = (low, high) if index < last else (low // stride, high // stride)
            top = _short(runs[index + 1], missing)
            if index:
                steps.append(Step(_short(runs[index], (low, high)), top))
            else:
                steps.append(Step(None, top, (missing[0] * fields[0].stride, missing[1] * fields[0].stride)))
    return steps


def _fewest(missing: int, runs: Sequence[Run], top: Run, stride: int) -> int:
    """How many rows a stage can do without: in its maps, and, a stride further, in its top."""
    return min(min([missing, *(run.surplus for run in runs)]) // stride, top.surplus) * stride


def _stages(fields: Sequence[ReceptiveField]) -> list[tuple[int, int]]:
    """First and last layer of each stage: one ends with every stride after the first layer's."""
    ends = [index for index, field in enumerate(fields) if index and field.stride > 1]
    if not ends or ends[-1] < len(fields) - 1:
        ends.append(len(fields) - 1)
    return list(zip([0, *(end + 1 for end in ends)], ends, strict=False))


def _short(runs: tuple[Run, Run], missing: tuple[int, int]) -> Short:
    """What a map lacks whose rows in these runs, near its low and its high edge, are all alike."""
    low, high = runs
    return Short((low.start, high.start - missing[0]), missing)
