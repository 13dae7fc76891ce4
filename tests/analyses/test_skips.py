"""The table of skips, from scores on disk."""

import pytest

from analyses import skips
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.training.score_history import write_scores


@pytest.fixture
def scored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, mean_iu in (("demo-fcn32s", 0.3), ("demo-fcn16s", 0.55), ("voc7-fcn8s", 0.4)):
        folder = tmp_path / "snapshot" / name
        folder.mkdir(parents=True)
        metrics = dict(zip(skips.KEYS, (0.9, 0.7, mean_iu, 0.8), strict=True))
        write_scores(
            folder, [{"iteration": 1, "label": dict.fromkeys(skips.KEYS, 0.0)}, {"iteration": 2, "label": metrics}]
        )


def test_each_stage_stands_beside_the_published_one(scored, capsys):
    assert skips.main([]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[2:]}
    assert rows["demo-fcn32s"] == ["90.0", "70.0", "30.0", "80.0", "90.5", "76.5", "63.6", "83.5"]
    assert rows["demo-fcn16s"] == ["90.0", "70.0", "55.0", "80.0", "+25.0", "91.0", "78.1", "65.0", "84.3"]


def test_one_family(scored, capsys):
    assert skips.main(["voc7"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == ["voc7-fcn8s"]


def test_nothing_scored_is_told(scored, capsys):
    assert skips.main(["camvid"]) == 1
    assert "no variant of camvid has scores in 'snapshot'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("voc-fcn32s", "32s"),
        ("voc-fcn8s-atonce", "8s-atonce"),
        ("voc-fcn32s-fixed", "32s-fixed"),
        ("voc-fcn-pool4", "pool4"),
    ],
)
def test_forms(name, form):
    assert skips.form(ROWS[name]) == form
