"""Every case, run in real Caffe now: its numbers are the recorded ones, and those computed here."""

import pytest

from tests.cases import families
from tests.cases.compare import differences
from tests.parity import bvlc, recording
from tests.parity.live import judge
from tests.parity.record import run_in_bvlc

FAMILIES = families()


@pytest.mark.parametrize("family", FAMILIES)
def test_real_caffe_still_computes_what_is_recorded_and_what_is_computed_here(family):
    cases = [case for case in FAMILIES[family] if not case.random]
    recorded = recording.read(family)
    wrong = []
    for case, result in zip(cases, run_in_bvlc(cases), strict=True):
        refused = isinstance(result, bvlc.Refused)
        assert refused == (case.refused is not None), case.id
        lines = [] if refused else differences(result, recorded[case.id].arrays, case)
        wrong += [f"{case.id}: {line}" for line in [*lines, *judge(case, result)]]
    assert not wrong, "\n".join(wrong)
