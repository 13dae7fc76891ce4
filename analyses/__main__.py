"""`python -m analyses NAME …` runs one of the papers' analyses, from the root of the checkout."""

from __future__ import annotations

import importlib
import sys

from fcn_caffe import names, program

NAMES = (
    *(
        "backbones",
        "background",
        "ccnn_bounds",
        "crf",
        "loss_map",
        "masking",
        "momentum",
        "patch_sampling",
        "receptive_field",
        "shift_and_stitch",
        "skips",
    ),
    "tags",
    "times",
    "upper_bound",
)


def main(arguments: list[str]) -> int:
    """Run the analysis that the first argument names; its exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: python -m analyses NAME …\n\nNAME is one of {', '.join(NAMES)}; NAME --help tells more of it.")
        return 0 if arguments else 2
    name = arguments[0]
    if name not in NAMES:
        print(f"analyses: {names.unknown(name, 'analysis', NAMES, '')}", file=sys.stderr)
        return 2
    program.called = f"python -m analyses {name}"
    return importlib.import_module(f"analyses.{name}").main(arguments[1:])


if __name__ == "__main__":
    program.begin()
    sys.exit(main(sys.argv[1:]))
