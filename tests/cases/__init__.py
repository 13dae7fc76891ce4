"""The case tables: one module per layer family, one line per case.

A case says which layer is built on which bottoms. Everything else (the values of the inputs, of the parameters and of
the top diffs) is drawn from the case's id, so a case is only data, and real Caffe and this one see the same numbers::

    from tests.cases.case import case, net_case

    CASES = [
        case("Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }", (2, 3, 6, 5)),
        case("Eltwise", "eltwise_param { operation: MAX }", (2, 3), (2, 3), kinds="integers(2)", smooth=False),
        case("SoftmaxWithLoss", "", (2, 5, 3), (2, 3), kinds=["normal", "labels(5)"], tops=2),
        case("Pooling", "pooling_param { kernel_size: 3 pad: 3 }", (1, 1, 4, 4), refused="pad_h_ < kernel_h_"),
    ]

``case(type, body, *bottom shapes, ...)``; ``body`` is the text in ``layer { ... }`` without name, type, bottom, top.
``net_case(id, text, ...)`` takes a whole net; there every blob, diff and parameter gradient is compared.
The keywords, with their defaults, are the fields of `tests.cases.case.Case`; the most used ones:

kinds      how the bottoms are drawn: one word for all, or a list with one word per bottom. The words are in
           `tests.cases.draw`: normal, uniform(a,b), positive, distinct, integers(n), labels(n), values(1,0,2),
           probabilities, signs, binary, zeros, ones.
params     the same for the parameter blobs; default "weights" (normal, scaled by the fan-in); "filled" leaves what the
           layer's fillers gave them
tops       number of tops (default 1; 0 is allowed)
phase      "TRAIN" (default) or "TEST"
backward   False: no backward pass (the default for types whose backward Caffe refuses: Accuracy, ArgMax, Threshold)
smooth     False: no finite differences (ties, kinks hit by the inputs)
forwards   how many forward passes are recorded (for data layers, and layers with a memory)
before     other shapes of the bottoms: the net is built and run with them first, then reshaped (the only way to an
           empty batch: real Caffe refuses a blob that never held anything)
in_place   True: the first top is the first bottom
refused    words of Caffe's own error: the net must be refused, in real Caffe and here, with these words ("" = any)
random     True: the values are random by nature: only shapes are recorded
files      a function that gets an empty folder (pathlib.Path) and writes the files the layer reads; the net runs with
           that folder as working directory, so `source: "list.txt"` finds them. It runs on this side: any library
forward_tolerance, gradient_tolerance   default 1e-5 and 1e-4 of the largest value; a wider one needs `reason="..."`
unlike     names (or patterns) of arrays where real Caffe's numbers are not wanted ("diff/bottom0"), with `reason`

What is recorded, by name: "blob/top0", "diff/bottom0", "grad/layer/0" (parameter gradient), "param/layer/0" (one
that the forward pass itself changed), and "blob/top0@1" for the second forward pass.

After a change: `make parity-record` (needs root; runs real Caffe for the changed cases only and writes
`tests/recorded/<family>.npz`); `python -m tests.parity.record pooling` records what has "pooling" in family or id.
Then `pytest tests/test_layers.py -k <word>`. A new family needs no registration: every module in this folder that has a
list CASES is a family.
"""

from __future__ import annotations

import importlib
import pkgutil

from tests.cases.case import Case


def families() -> dict[str, list[Case]]:
    """Family name → its cases, for every module of this package that has a CASES list."""
    found = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        if hasattr(module, "CASES"):
            found[module_info.name] = module.CASES
    ids = [case.id for cases in found.values() for case in cases]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ValueError(f"cases: the id {twice[0]!r} is used twice. Give one of them id=...")
    return found


def all_cases() -> list[Case]:
    return [case for cases in families().values() for case in cases]
