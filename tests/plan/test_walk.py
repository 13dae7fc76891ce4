"""Which function calls which, from Net.forward to torch's convolution, is as docs/design.md tells; none is long."""

import inspect
import re
import sys
from pathlib import Path
from types import CodeType

import torch.nn.functional as F

from tests.plan.nets import build, conv, input, plainly

ROOT = Path(__file__).resolve().parents[2]
ENGINE = str(ROOT / "caffe")
MOST_LINES, MOST_HOPS = 40, 12


def told() -> list[str]:
    """The walk in docs/design.md: the name after each number."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = page.partition("### One convolution, from `Net.forward` to torch")[2].partition("\n##")[0]
    return re.findall(r"^\d+\. `([^`]+)`", section, re.MULTILINE)


def walked(monkeypatch) -> list[CodeType]:
    """The functions of caffe that are under way when torch convolves, the first called first."""
    stack: list[CodeType] = []
    convolve = F.conv2d

    def watched(*given):
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename.startswith(ENGINE):
                stack.insert(0, frame.f_code)
            frame = frame.f_back
        return convolve(*given)

    net = build(input("data", 1, 3, 5, 5) + conv("conv", "data", 4, 3))
    monkeypatch.setattr(F, "conv2d", watched)
    with plainly():
        net.forward()
    return stack


def test_the_walk_is_the_one_that_is_told(monkeypatch):
    names = [code.co_name for code in walked(monkeypatch) if code.co_name != "<listcomp>"]
    assert names.count("alone") == 1  # `guarded`, around Net.forward
    names.remove("alone")
    assert [*names, "conv2d"] == [name.rpartition(".")[2] for name in told()]
    assert len(names) <= MOST_HOPS


def test_no_function_on_the_way_is_long(monkeypatch):
    lengths = {code.co_name: len(inspect.getsourcelines(code)[0]) for code in walked(monkeypatch)}
    assert {name for name, length in lengths.items() if length > MOST_LINES} == set()
