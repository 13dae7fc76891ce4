"""The tools of the tests: drawn cases, comparisons that can fail, recordings, the last words of real Caffe."""

import numpy as np
import pytest

import caffe
from tests.cases import run as runner
from tests.cases.case import case, net_case
from tests.cases.compare import difference, differences
from tests.cases.draw import draw, generator
from tests.parity import recording, worker
from tests.parity.draft import MOST_LAYERS
from tests.parity.random_nets import draw_net
from tests.parity.recording import Recording


def test_the_same_case_draws_the_same_numbers():
    one, same = (case("ReLU", "", (2, 3)) for _ in range(2))
    other = case("ReLU", "relu_param { negative_slope: 0.1 }", (2, 3))
    np.testing.assert_array_equal(one.input("bottom0", (2, 3)), same.input("bottom0", (2, 3)))
    assert not np.array_equal(one.input("bottom0", (2, 3)), other.input("bottom0", (2, 3)))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


def test_draws_are_the_same_in_every_numpy():
    np.testing.assert_allclose(draw("normal", (3,), generator("x")), [-2.313544, 0.7954852, -0.3106276], rtol=1e-6)
    np.testing.assert_array_equal(draw("labels(5)", (6,), generator("x")), [3, 2, 3, 1, 0, 2])


def test_a_wider_tolerance_needs_a_reason():
    with pytest.raises(ValueError, match="needs reason"):
        case("ReLU", "", (2,), gradient_tolerance=1e-2)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="is not known"):
        draw("norml", (2,), generator("x"))


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        ([1.0, 2.0], [1.0, 2.0], True),
        ([1.0, 2.00001], [1.0, 2.0], True),
        ([1.0, 2.0001], [1.0, 2.0], False),
        ([1.0], [1.0, 2.0], False),
        ([np.nan, 1.0], [np.nan, 1.0], True),
        ([0.0, 1.0], [np.nan, 1.0], False),
        ([np.nan, 1.0], [0.0, 1.0], False),
        ([-3.4028235e38, 1.1], [-3.4028235e38, 1.0], False),
        ([3.4028235e38, 1.0], [-3.4028235e38, 1.0], False),
        ([1e-9], [0.0], True),
        ([1e-7], [0.0], False),
        ([], [], True),
    ],
)
def test_difference(found, expected, same):
    assert (difference(found, expected, 1e-5) is None) == same


def test_differences_names_what_is_missing_and_leaves_out_what_is_unlike():
    one = case("ReLU", "", (2,), unlike=["diff/*"], reason="test")
    found = {"blob/top0": np.ones(2), "diff/bottom0": np.ones(2)}
    assert not differences(found, {"blob/top0": np.ones(2), "diff/bottom0": np.zeros(2)}, one)
    assert differences(found, {"blob/top0": np.ones(2), "param/layer/0": np.ones(1)}, one) == [
        "param/layer/0: only in real Caffe"
    ]


def test_recordings_are_read_as_written_and_their_bytes_depend_on_them_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "FOLDER", tmp_path)
    arrays = {"blob/top0": np.arange(6, dtype=np.float32).reshape(2, 3), "grad/layer/0": np.float32(2).reshape(())}
    recordings = {"b": Recording("1", arrays), "a": Recording("2", {}, "no")}
    recording.write("family", recordings)
    first = (tmp_path / "family.npz").read_bytes()
    found = recording.read("family")
    assert found["a"] == recordings["a"]
    np.testing.assert_array_equal(found["b"].arrays["blob/top0"], arrays["blob/top0"])
    assert found["b"].arrays["grad/layer/0"].shape == ()
    recording.write("family", dict(reversed(recordings.items())))
    assert (tmp_path / "family.npz").read_bytes() == first


ABORT = 6
LOG = """I1121 net.cpp:1] Creating
F1121 09:34:08.879228 32432 blob.cpp:33] Check failed: shape[i] >= 0 (-3 vs. 0)
*** Check failure stack trace: ***
    @     0x7f google::LogMessage::Fail()
"""


@pytest.mark.parametrize(
    ("log", "status", "words"),
    [
        (LOG, ABORT, "Check failed: shape[i] >= 0 (-3 vs. 0)"),
        ("hello\nRuntimeError: Could not open file x\n", 1 << 8, "RuntimeError: Could not open file x"),
        ("hello\n", 11, "ended by SIGSEGV"),
    ],
)
def test_last_words_of_real_caffe(log, status, words):
    assert worker.words_of(log, status) == words


def test_random_nets_are_drawn_from_their_seed_and_can_be_built():
    for seed in range(8):
        net = draw_net(seed)
        assert net == draw_net(seed)
        assert sum('"Input"' not in line for line in net.text.splitlines()) <= MOST_LAYERS + 5
        assert isinstance(runner.build(net), caffe.Net)


def test_a_net_case_sees_a_wrong_gradient():
    net = net_case(
        "x",
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 } } }\n'
        'layer { name: "y" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }\n',
    )
    found = runner.run_case(net)
    expected = {name: values.copy() for name, values in found.items()}
    expected["grad/y/0"][0, 0] += 0.01
    assert [line.split(":")[0] for line in differences(found, expected, net)] == ["grad/y/0"]
