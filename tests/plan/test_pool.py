"""A net gets the memory of its large maps back from pass to pass, and never while somebody holds them."""

import gc
import sys

import numpy as np
import pytest
import torch

import caffe
from caffe.plan import pool
from caffe.plan.pool import Pool
from tests.plan.nets import build, conv, input, plainly

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory of its own is kept on Linux")

LARGE, LARGER = (1, 8, 256, 256), (1, 8, 256, 512)


def place(x: torch.Tensor) -> int:
    return x.untyped_storage().data_ptr()


def make(shape: tuple[int, ...], like: torch.Tensor | None = None) -> torch.Tensor:
    return pool.empty_like(torch.empty(1) if like is None else like, *shape)


@pytest.fixture
def serving():
    found = Pool()
    with found.serving():
        yield found


def test_memory_that_nobody_holds_serves_again(serving):
    first = make(LARGE)
    where = place(first)
    assert place(make(LARGE)) != where
    del first
    assert place(make(LARGE)) == where


@pytest.mark.parametrize(
    "hold", [torch.Tensor.numpy, lambda x: x[0, :1], lambda x: x.data, lambda x: x.detach(), lambda x: x.view(-1)]
)
def test_memory_that_somebody_holds_does_not(serving, hold):
    first = make(LARGE)
    first.fill_(7)
    held = hold(first)
    where = place(first)
    del first
    others = [make(LARGE).fill_(0) for _ in range(3)]
    assert where not in map(place, others)
    assert (np.asarray(held) == 7).all()


def test_memory_serves_for_what_is_somewhat_smaller(serving):
    where = place(make(LARGER))
    assert place(make(LARGE)) == where
    assert place(make((1, 8, 256, 1024))) != where


def test_what_a_pass_had_no_use_for_is_given_back(serving):
    serving.begin_pass()
    make(LARGE), make(LARGER)
    serving.begin_pass()
    assert len(serving._free) == 2
    make(LARGER)
    serving.begin_pass()
    assert [len(pages) for pages in serving._free] == [4 * 8 * 256 * 512]
    serving.begin_pass()
    assert not serving._free


def test_a_map_outlives_the_net_that_made_it():
    found = Pool()
    with found.serving():
        x = make(LARGE).fill_(3)
    del found
    gc.collect()
    assert (x == 3).all()


@pytest.mark.parametrize(
    "like", [torch.empty(1, dtype=torch.bfloat16), torch.empty(1, dtype=torch.float64), torch.empty(1, device="meta")]
)
def test_other_types_and_devices_are_torchs(serving, like):
    found = make(LARGE, like)
    assert (found.dtype, found.device, found.shape) == (like.dtype, like.device, LARGE)
    assert not serving._held


def test_small_maps_what_lies_outside_passes_and_without_the_plan_is_torchs(serving):
    make((1, 8, 16, 16))
    with plainly():
        make(LARGE)
    assert not serving._held
    assert make((0, 3)).shape == (0, 3)


def test_pools_are_of_the_thread_and_nest():
    outer, inner = Pool(), Pool()
    with outer.serving():
        with inner.serving():
            held = make(LARGE)
        other = make(LARGE)
    outside = make(LARGE)
    assert (len(outer._held), len(inner._held)) == (1, 1)
    assert len({place(x) for x in (held, other, outside)}) == 3


NET = input("data", 1, 256, 45, 46) + conv("wide", "data", 256, 3, 1) + conv("next", "wide", 256, 3, 1)


def test_a_net_computes_in_the_memory_of_the_pass_before_and_the_same():
    net = build(NET, caffe.TEST)
    net.blobs["data"].data[...] = np.random.RandomState(1).normal(size=net.blobs["data"].shape)
    net.forward()
    places, values = [], []
    for _ in range(3):
        net.forward()
        places.append({place(net.blobs[name].tensor) for name in ("wide", "next")})
        values.append(net.blobs["next"].data.copy())
    assert places[0] == places[1] == places[2]
    assert all((value == values[0]).all() for value in values)


def test_a_view_of_a_blob_keeps_its_memory_through_the_next_pass():
    net = build(NET, caffe.TEST)
    net.blobs["data"].data[...] = 1
    held = net.forward()["next"]
    before = held.copy()
    net.blobs["data"].data[...] = 2
    net.forward()
    assert held is net.blobs["next"].data or (held == before).all()
    assert not (net.blobs["next"].data == before).all()
