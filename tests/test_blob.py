"""The contract of a blob: what NumPy and torch see of each other's values."""

import weakref

import numpy as np
import pytest
import torch

from caffe.blob import Blob
from caffe.blob.storage import LARGE
from caffe.errors import ShapeError, UsageError


def test_begins_as_zeros_of_its_shape():
    blob = Blob((2, 3))
    assert blob.shape == (2, 3)
    assert blob.count == 6
    assert not blob.data.any()
    assert not blob.diff.any()


def test_numpy_and_torch_share_memory():
    blob = Blob((2, 3))
    blob.data[0, 1] = 5
    assert blob.tensor[0, 1] == 5
    blob.tensor[1, 2] = 7
    assert blob.data[1, 2] == 7


def test_data_and_diff_are_apart():
    blob = Blob((2,))
    blob.diff[...] = 1
    assert not blob.data.any()


def test_a_view_that_somebody_holds_sees_new_values():
    blob = Blob((2,))
    held = blob.data
    blob.tensor = torch.tensor([1.0, 2.0])
    assert held.tolist() == [1, 2]


def test_a_part_of_a_view_counts_as_one():
    blob = Blob((2, 2))
    held = blob.data[1]
    assert blob.memory.viewed
    blob.tensor = torch.full((2, 2), 3.0)
    assert held.tolist() == [3, 3]


def test_without_a_view_a_new_tensor_takes_the_place():
    blob = Blob((2,))
    assert not blob.memory.viewed
    values = torch.tensor([1.0, 2.0])
    blob.tensor = values
    assert blob.tensor.data_ptr() == values.data_ptr()


def test_forgotten_values_free_their_memory():
    blob = Blob((2, 3))
    blob.tensor = torch.ones(2, 3)
    old = weakref.ref(blob.tensor.untyped_storage())
    blob.memory.forget()
    assert old() is None
    blob.tensor = torch.full((2, 3), 5.0)
    assert (blob.data == 5).all()


@pytest.mark.parametrize("kept_by", ["a view", "stable memory"])
def test_values_that_somebody_needs_are_not_forgotten(kept_by):
    blob = Blob((2, 3), stable=kept_by == "stable memory")
    blob.tensor = torch.ones(2, 3)
    view = blob.data if kept_by == "a view" else None
    blob.memory.forget()
    assert (blob.data == 1).all()
    assert view is None or view is blob.data


def test_stable_memory_never_moves():
    blob = Blob((2,), stable=True)
    place = blob.tensor.data_ptr()
    blob.tensor = torch.tensor([1.0, 2.0])
    assert blob.tensor.data_ptr() == place
    assert blob.data.tolist() == [1, 2]


def test_numpy_sees_contiguous_values():
    blob = Blob((2, 3))
    blob.tensor = torch.arange(6.0).reshape(3, 2).t()
    assert blob.data.flags.c_contiguous
    assert blob.data.tolist() == [[0, 2, 4], [1, 3, 5]]


def test_reshape_keeps_values_of_the_same_count():
    blob = Blob((2, 3))
    blob.data[...] = np.arange(6).reshape(2, 3)
    blob.reshape(3, 2)
    assert blob.data.tolist() == [[0, 1], [2, 3], [4, 5]]
    blob.reshape(7)
    assert not blob.data.any()


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def last(request):
    """A map whose channels lie last, as layers put it there, and its values."""
    values = torch.arange(24.0).reshape(1, 2, 3, 4)
    blob = Blob(values.shape)
    blob.tensor = values.to(request.param, memory_format=torch.channels_last)
    return blob, values


class TestChannelsLast:
    def test_a_reshape_keeps_the_first_values(self, last):
        blob, values = last
        blob.reshape(2, 2, 2)
        assert torch.equal(blob.tensor.float(), values.flatten()[:8].view(2, 2, 2))

    def test_another_shape_sees_the_same_memory(self, last):
        blob, values = last
        flat = Blob((24,))
        flat.share_data(blob)
        assert torch.equal(flat.tensor.float(), values.flatten())
        blob.tensor.zero_()
        assert not flat.tensor.any()

    def test_a_gradient_is_cleared(self, last):
        blob, _ = last
        blob.grad = blob.tensor
        blob.memory.clear_grad()
        assert not blob.grad.any()


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), [1, 3, 8, 8], np.array([1, 3, 8, 8])])
def test_a_shape_is_taken_as_one_sequence_too(shape):
    blob = Blob()
    blob.reshape(shape)
    assert tuple(blob.shape) == (1, 3, 8, 8)
    blob.reshape(np.int64(7))
    assert tuple(blob.shape) == (7,)


@pytest.mark.parametrize("dims", [("a",), (None, 3), ((1, "x"),), ((1, 2), 3), (1, 3, 8.5, 8), ("1", 3)])
def test_reshape_says_what_it_found(dims):
    with pytest.raises(ShapeError, match="expected whole numbers"):
        Blob().reshape(*dims)


def test_reshape_refuses_what_is_no_shape():
    with pytest.raises(ShapeError, match="none of them negative"):
        Blob().reshape(2, -1)
    with pytest.raises(ShapeError, match="at most 32 axes"):
        Blob().reshape(*[1] * 33)


def test_shared_data_is_one_memory_and_diffs_stay_apart():
    one, other = Blob((2,)), Blob((2,))
    one.share_data(other)
    other.data[0] = 4
    one.diff[0] = 9
    assert one.data[0] == 4
    assert not other.diff.any()


def test_legacy_accessors():
    blob = Blob((2, 3))
    assert (blob.num, blob.channels, blob.height, blob.width) == (2, 3, 1, 1)
    with pytest.raises(ShapeError, match="Cannot use legacy accessors on Blobs with > 4 axes"):
        _ = Blob((1, 1, 1, 1, 1)).num


def test_reshape_within_the_memory_keeps_the_first_values():
    blob = Blob((2, 3, 2, 4))
    blob.data[...] = np.arange(48).reshape(2, 3, 2, 4)
    blob.reshape(1, 3, 2, 4)
    assert blob.data.ravel().tolist() == list(range(24))
    blob.reshape(2, 3, 2, 4)
    assert blob.data.ravel().tolist() == list(range(48))
    blob.reshape(3, 3, 2, 4)
    assert not blob.data.any()


def test_a_large_gradient_is_cleared_when_it_is_asked_for():
    blob = Blob((LARGE,), stable=True)
    blob.grad.fill_(1)
    memory = blob.grad.data_ptr()
    blob.memory.clear_grad()
    assert not blob.diff.any()
    assert blob.grad.data_ptr() == memory
    held = blob.diff
    held[:] = 2
    blob.memory.clear_grad()
    assert not held.any()


def test_a_gradient_that_nobody_else_holds_becomes_the_blobs():
    blob, gradient = Blob((LARGE,)), torch.ones(LARGE)
    blob.grad.fill_(5)
    blob.memory.clear_grad()
    blob.memory.expect_grad()
    blob.memory.add_grad(gradient, own=True)
    assert blob.grad.data_ptr() == gradient.data_ptr()
    blob.memory.add_grad(torch.full((LARGE,), 2.0), own=True)
    assert (blob.diff == 3).all()


def test_memory_for_the_first_gradient_of_a_parameter():
    room = Blob((LARGE,), stable=True).memory.expect_grad()
    assert room is not None
    assert room.numel() == LARGE
    assert Blob((4,), stable=True).memory.expect_grad() is None
    assert Blob((LARGE,)).memory.expect_grad() is None


@pytest.mark.parametrize("part", [torch.ones(8)[:4], torch.ones(4, 2)[:, 0], torch.ones(4, dtype=torch.float64)])
def test_a_gradient_that_is_part_of_another_tensor_is_copied(part):
    blob = Blob((4,))
    blob.memory.add_grad(part, own=True)
    assert blob.grad.data_ptr() != part.data_ptr()
    assert (blob.diff == 1).all()


def test_a_gradient_that_others_hold_is_copied():
    blob, gradient = Blob((4,)), torch.ones(4)
    blob.memory.add_grad(gradient)
    gradient.zero_()
    assert (blob.diff == 1).all()


def test_a_gradient_that_was_given_up():
    blob = Blob((4,))
    blob.diff[:] = 1
    blob.memory.give_up_grad()
    for ask in (lambda: blob.diff, lambda: blob.grad):
        with pytest.raises(UsageError, match=r"set net.keep_diffs = True"):
            ask()
    blob.memory.renew_grad()
    assert not blob.diff.any()


def test_a_gradient_that_somebody_holds_is_not_given_up():
    blob = Blob((4,))
    held = blob.diff
    held[:] = 1
    blob.memory.give_up_grad()
    assert (blob.diff == 1).all()
