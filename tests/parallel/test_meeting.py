"""caffe/meeting.py: processes that are started anew at the same meeting point find each other, and nothing else."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from torch import distributed

from caffe import meeting


def meet(store, count):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda rank: meeting.fresh(store, rank, count), range(count)))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_what_earlier_processes_left_is_not_seen_by_those_that_meet_now(count):
    store = distributed.HashStore()
    for start in range(3):
        parts = meet(store, count)
        assert not parts[0].check(["address"])
        parts[0].set("address", f"of start {start}")
        assert {part.get("address") for part in parts} == {f"of start {start}".encode()}


def test_a_number_that_an_ended_process_left_does_not_hold_up_the_others():
    store = distributed.HashStore()
    store.set("here/1", "left behind")
    first, second = meet(store, 2)
    second.set("key", "value")
    assert first.get("key") == b"value"


@pytest.mark.parametrize(("rank", "missing"), [(0, "process 1, 2"), (1, "process 0")])
def test_who_does_not_come_is_named(rank, missing, monkeypatch):
    monkeypatch.setattr(meeting, "MEETING", meeting.MEETING * 0)
    with pytest.raises(RuntimeError, match=f"{missing} has not come within 0 s"):
        meeting.fresh(distributed.HashStore(), rank, 3)
