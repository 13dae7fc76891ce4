"""500 nets drawn at random: forward, the diff of every blob and the gradient of every parameter."""

from tests.parity.random_nets import compare

NETS = 500


def test_random_nets_are_the_same_in_real_caffe():
    wrong = {f"random net {seed}": lines[:3] for seed, lines in compare(range(NETS)).items()}
    assert not wrong, "\n".join(f"{name}: {lines}" for name, lines in wrong.items())
