"""Is what real Caffe computed for a case what is computed here?"""

from __future__ import annotations

import numpy as np

from caffe.errors import CaffeError
from tests.cases import run as runner
from tests.cases.case import Case
from tests.cases.compare import SMALL_IN_NETS, difference, differences
from tests.parity import bvlc

DISTURBANCE = 1e-6
MOST = 0.05


def judge(case: Case, result: dict[str, np.ndarray] | bvlc.Refused) -> list[str]:
    """What differs, one line each. A net whose numbers hang on the last bits of its inputs may differ as much as it
    moves when its inputs and parameters are disturbed by a millionth; and an array that is small beside the others of
    the net (a gradient that is zero but for rounding, say) is measured by them."""
    try:
        with runner.folder_of(case):
            found = runner.run_case(case)
    except CaffeError as error:
        return [] if isinstance(result, bvlc.Refused) else [f"refused here only: {error}"]
    if isinstance(result, bvlc.Refused):
        return [f"refused by real Caffe only: {result.words}"]
    lines = differences(found, result, case)
    if not lines or case.files:
        return lines
    moved = [runner.run_case(case, disturb=DISTURBANCE * sign) for sign in (1, -1)]
    return [line for line in lines if not _explained(line.split(":")[0], case, found, result, moved)]


def _explained(name: str, case: Case, found: dict, result: dict, moved: list[dict]) -> bool:
    if name not in found or name not in result or found[name].shape != result[name].shape or not found[name].size:
        return False
    forward = name.startswith(("blob/", "param/"))
    alike = [values for other, values in result.items() if other.startswith(("blob/", "param/")) == forward]
    with np.errstate(invalid="ignore"):
        small = SMALL_IN_NETS * max(np.abs(values).max(initial=0) for values in alike)
        distance = max(np.abs(values[name] - found[name]).max() for values in moved)
        sensitivity = 3 * distance / max(np.abs(result[name]).max(), SMALL_IN_NETS)
    tolerance = case.forward_tolerance if forward else case.gradient_tolerance
    return any(
        difference(found[name], result[name], *measure) is None
        for measure in [(tolerance, small), (min(sensitivity, MOST), SMALL_IN_NETS)]
    )
