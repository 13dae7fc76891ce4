"""Every case computes on a GPU what it computes on the CPU; here on a pretended one (see pretended.py)."""

from tests.cases import run as runner
from tests.gpu.pretended import pretended_gpu
from tests.test_layers import differences, each, result, same_every_time


@each(same_every_time, seldom="as a GPU computes what layers do, which their other cases have tried on the CPU")
def test_there_as_here(case):
    with pretended_gpu(), runner.folder_of(case):
        found = runner.run_case(case)
    assert not differences(found, result(case.id), case)
