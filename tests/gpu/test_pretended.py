"""The pretended GPU refuses what CUDA refuses, or tests on it would prove little."""

import pytest
import torch

from tests.gpu.pretended import THERE, pretended_gpu


@pytest.fixture
def driver():
    with pretended_gpu() as driver:
        yield driver


def test_two_devices_do_not_mix_but_for_single_numbers(driver):
    x = torch.ones(3, device=THERE)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        x + torch.ones(3)
    assert (x + torch.tensor(2.0)).tolist() == [3, 3, 3]


def test_numpy_does_not_see_its_memory(driver):
    with pytest.raises(RuntimeError, match="numpy"):
        torch.ones(3, device=THERE).numpy()


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.cpu(),
        lambda x: x.copy_(torch.zeros(3)),
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).all()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.equal(x, x),
        lambda x: torch.bincount(x.long()),
    ],
)
def test_who_waits_is_noted_and_refused_in_a_recording(driver, wait):
    x = torch.ones(3, device=THERE)
    wait(x)
    assert len(driver.waits) == 1
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        driver.record(lambda: wait(x), torch.Generator(), None)


def test_a_recording_has_no_effect_until_it_is_replayed(driver):
    x, total = torch.ones(3, device=THERE), torch.zeros(3, device=THERE)

    def step():
        total.add_(x.relu())
        return 2 * x

    graph, twice = driver.record(step, torch.Generator(), None)
    assert total.tolist() == [0, 0, 0]
    assert twice.isnan().all().tolist()
    graph.replay()
    x.fill_(3)
    graph.replay()
    assert total.tolist() == [4, 4, 4]
    assert twice.tolist() == [6, 6, 6]


def test_a_replay_draws_anew(driver):
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(1000, device=THERE)
    expected = torch.Generator().manual_seed(0)
    graph, drawn = driver.record(lambda: x.bernoulli_(0.5, generator=generator), generator, None)
    for _ in range(2):
        graph.replay()
        assert drawn.tolist() == torch.empty(1000).bernoulli_(0.5, generator=expected).tolist()


def test_gradients_are_its_own(driver):
    x = torch.ones(1, 1, 4, 4, device=THERE, requires_grad=True)
    weight = torch.ones(1, 1, 3, 3, device=THERE)
    (gradient,) = torch.autograd.grad(torch.nn.functional.conv2d(x, weight).sum(), x)
    assert gradient.device == THERE
    assert gradient[0, 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]
