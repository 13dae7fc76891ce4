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
    moves when its inputs and parameters are disturbed by a millionth."""
    try:
        with runner.folder_of(case):
            found = runner.run_case(case)
    except CaffeError as error:
        return [] if isinstance(result, bvlc.Refused) else [f"refused here only: {error}"]
    if isinstance(result, bvlc.Refused):
        return [f"refused by real Caffe only: {result.words}"]
    lines = differences(found, result, case)
    if lines and not case.files:
        moved = [runner.run_case(case, disturb=DISTURBANCE * sign) for sign in (1, -1)]
        lines = [line for line in lines if not _explained(line.split(":")[0], found, result, moved)]
    return lines


def _explained(name: str, found: dict, result: dict, moved: list[dict]) -> bool:
    if name not in found or name not in result or found[name].shape != result[name].shape or not found[name].size:
        return False
    with np.errstate(invalid="ignore"):
        distance = max(np.abs(values[name] - found[name]).max() for values in moved)
        largest = np.abs(result[name]).max()
    allowed = 3 * distance / max(largest, SMALL_IN_NETS)
    return bool(0 < allowed < MOST) and difference(found[name], result[name], allowed, SMALL_IN_NETS) is None
