"""Orders are reproducible, and can be entered at any position."""

import itertools

import pytest

from fcn_caffe.data_layers.segdata import order


def first(name: str, n: int, count: int, seed: int = 1337, position: int = 0) -> list[int]:
    return list(itertools.islice(order.indices(name, seed, n, position), count))


def test_py2_is_the_published_order() -> None:
    assert first("py2", 8498, 8) == [5249, 4531, 3108, 4978, 1408, 7005, 3260, 6710]


def test_py3_is_what_the_published_layer_draws_today() -> None:
    assert first("py3", 8498, 3) == [5994, 2714, 5452]


def test_sequential_starts_again() -> None:
    assert first("sequential", 3, 7) == [0, 1, 2, 0, 1, 2, 0]


def test_shuffle_takes_every_image_once_per_pass() -> None:
    drawn = first("shuffle", 10, 20)
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10] != drawn[10:]


@pytest.mark.parametrize("name", ["sequential", *order.RANDOM])
def test_order_can_be_entered_anywhere(name: str) -> None:
    assert first(name, 7, 10, position=25) == first(name, 7, 35)[25:]


def test_about_half_the_images_come_mirrored() -> None:
    tossed = list(itertools.islice(order.mirrored(1337), 1000))
    assert 450 < sum(tossed) < 550
    assert list(itertools.islice(order.mirrored(1337, 7, 3), 20)) == tossed[7:67:3]
    assert list(itertools.islice(order.mirrored(1338), 1000)) != tossed


@pytest.mark.parametrize("name", ["sequential", *order.RANDOM])
def test_every_nth(name: str) -> None:
    """What one of three solvers takes that train together."""
    assert list(itertools.islice(order.indices(name, 1337, 7, 2, 3), 5)) == first(name, 7, 17)[2::3]


@pytest.mark.parametrize("name", order.RANDOM)
def test_seed_decides(name: str) -> None:
    assert first(name, 50, 10, seed=1) == first(name, 50, 10, seed=1) != first(name, 50, 10, seed=2)
