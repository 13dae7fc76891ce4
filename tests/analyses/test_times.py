"""Times of nets: which are timed, and how the table says it."""

import pytest

from analyses import times
from fcn_caffe.net_spec.catalogue import ROWS


def test_the_leaderboards_nets_are_in_the_catalogue():
    assert times.NETS[0] == "voc-fcn8s"
    assert set(times.NETS) <= ROWS.keys()


def test_a_net_is_timed_at_the_size_that_is_asked_for(capsys):
    assert times.main(["demo-fcn32s", "demo-depth-fcn32s", "--size", "30", "40", "--passes", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[:2] for line in lines] == [
        ["net", "image"],
        ["demo-fcn32s", "30×40"],
        ["demo-depth-fcn32s", "30×40"],
    ]
    assert lines[1].split()[-1] == "1.00"


def test_ratios_are_to_the_first():
    lines = times.table({"a": ((3, 4), 0.5, 0.6), "b": ((3, 4), 2.0, 2.1)}).splitlines()
    assert lines[2].split() == ["b", "3×4", "2.00", "2.10", "4.00"]


@pytest.mark.parametrize("line", [["--passes", "0"], ["--size", "0", "5"]])
def test_wrong_options_are_refused(line, capsys):
    with pytest.raises(SystemExit):
        times.main(line)
    assert "--passes and --size" in capsys.readouterr().err


def test_an_unknown_net_is_told(capsys):
    assert times.main(["voc-fcn9s"]) == 1
    assert "voc-fcn8s" in capsys.readouterr().err
