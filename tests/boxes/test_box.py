"""Boxes round the regions of masks, and their files."""

import numpy as np
import pytest

from fcn_caffe.boxes import box
from fcn_caffe.boxes.box import ObjectBox


def regions(label):
    """By hand: flood each region of a class over corners, too."""
    left, found = {tuple(p) for p in np.argwhere((label != 0) & (label != 255)).tolist()}, []
    while left:
        first = min(left)
        cls, todo, region = label[first], [first], []
        left.discard(first)
        while todo:
            y, x = todo.pop()
            region.append((y, x))
            for other in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if other in left and label[other] == cls:
                    left.discard(other)
                    todo.append(other)
        rows, columns = zip(*region, strict=True)
        found.append(ObjectBox(int(cls), min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return sorted(found)


@pytest.mark.parametrize(("size", "values"), [((6, 9), [0, 0, 1]), ((12, 5), [0, 255, 3, 7]), ((1, 8), [0, 2])])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_there_is_a_box_round_each_connected_region(size, values, seed):
    label = np.random.default_rng(seed).choice(np.array(values, np.uint8), size)
    assert sorted(box.of_mask(label)) == regions(label)


@pytest.mark.parametrize("value", [0, 255])
def test_background_and_void_have_no_box(value):
    assert box.of_mask(np.full((3, 4), value, np.uint8)) == []


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (ObjectBox(1, 0, 0, 4, 2), 1.0),
        (ObjectBox(2, 2, 0, 6, 2), 1 / 3),
        (ObjectBox(1, 4, 0, 8, 2), 0.0),
        (ObjectBox(1, 1, 1, 3, 2), 0.25),
    ],
)
def test_overlap_is_intersection_over_union(other, expected):
    assert ObjectBox(1, 0, 0, 4, 2).overlap(other) == pytest.approx(expected)
    assert other.overlap(ObjectBox(1, 0, 0, 4, 2)) == pytest.approx(expected)


def test_the_box_round_a_mask_holds_it():
    mask = np.zeros((5, 7), bool)
    mask[1, 3] = mask[3, 5] = True
    assert box.round_of(mask) == ObjectBox(0, 3, 1, 6, 4)
    assert box.round_of(np.zeros((5, 7), bool)) is None


@pytest.mark.parametrize("scale", [0.5, 1.0, 0.1, 2.0])
def test_a_scaled_box_has_a_pixel_at_least_and_lies_in_the_image(scale):
    height, width = max(1, round(40 * scale)), max(1, round(60 * scale))
    for each in (ObjectBox(1, 0, 0, 60, 40), ObjectBox(1, 59, 39, 60, 40), ObjectBox(1, 10, 3, 11, 30)):
        found = each.scaled(scale, height, width)
        assert 0 <= found.left < found.right <= width
        assert 0 <= found.top < found.bottom <= height


def test_files_give_back_what_was_written(tmp_path):
    boxes = [ObjectBox(1, 0, 0, 60, 40), ObjectBox(20, 3, 4, 5, 6)]
    box.write(boxes, tmp_path / "a" / "x.txt")
    assert box.read(tmp_path / "a" / "x.txt") == boxes
    box.write([], tmp_path / "none.txt")
    assert box.read(tmp_path / "none.txt") == []


def test_a_file_of_boxes_may_lack_the_line_that_says_who_wrote_it(tmp_path):
    (tmp_path / "x.txt").write_text("1 0 0 4 4\n")
    assert box.read(tmp_path / "x.txt") == [ObjectBox(1, 0, 0, 4, 4)]


@pytest.mark.parametrize("line", ["1 2 3 4", "0 0 0 4 4", "1 4 0 4 4", "1 0 0 4 -4", "dog 0 0 4 4", "255 0 0 4 4"])
def test_a_line_that_is_no_box_is_told_with_its_place(tmp_path, line):
    (tmp_path / "x.txt").write_text(f"1 0 0 4 4\n{line}\n")
    with pytest.raises(ValueError, match=r"x\.txt':2 is .*expected a class from 1 to 254"):
        box.read(tmp_path / "x.txt")
