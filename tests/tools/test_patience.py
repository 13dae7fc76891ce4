"""fcn solve --patience: a stage ends when its score rises no more, and its best snapshot is what stays."""

import json
import re
from pathlib import Path

import pytest

from fcn_caffe.commands import infer, solve
from fcn_caffe.training import stage as stage_module
from fcn_caffe.training.score_history import read_scores, write_scores
from tests.tools.test_solve import OWN, own

FOLDER = Path("snapshot/toy-fcn32s")


@pytest.fixture
def scored(folder, monkeypatch):
    """Training whose mean IU is what is said here, scoring by scoring."""

    def say(*values):
        left = list(values)

        def score(solver, row, to, board):
            write_scores(to, [*read_scores(to), {"iteration": solver.iter, "label": {"mean_iu": left.pop(0)}}])

        monkeypatch.setattr(stage_module, "score", score)

    return say


def iterations():
    return sorted(int(re.findall(r"\d+", path.name)[0]) for path in FOLDER.glob("*.caffemodel"))


def test_a_score_that_rises_no_more_ends_the_stage(scored, capsys):
    scored(0.3, 0.5, 0.4, 0.45, 0.9)
    assert own("--iterations", "10", "--score-every", "2", "--patience", "2") == 0
    said = capsys.readouterr().out
    assert "mean IU has not risen in 2 scorings: ended" in said
    assert "scored best at iteration 4, whose snapshot is what stays" in said
    assert [entry["iteration"] for entry in read_scores(FOLDER)] == [2, 4, 6, 8]
    assert iterations()[-1] == 4
    assert infer.main(["snapshot/toy-fcn32s", "mine/JPEGImages/image0.png"]) == 0


def test_what_has_ended_is_done(scored, capsys):
    scored(0.5, 0.4, 0.3)
    line = ["--iterations", "10", "--score-every", "2", "--patience", "2"]
    assert own(*line) == 0
    assert own(*line, "--resume") == 0
    assert "toy-fcn32s: done (" in capsys.readouterr().out


def test_the_best_stays_where_the_end_comes_first(scored):
    scored(0.3, 0.6, 0.5)
    assert own("--iterations", "6", "--score-every", "2", "--patience", "5") == 0
    assert iterations()[-1] == 4
    assert own("--iterations", "6", "--score-every", "2", "--patience", "5", "--resume") == 0


def test_without_patience_the_last_snapshot_stays(scored):
    scored(0.5, 0.4, 0.3)
    assert own("--iterations", "6", "--score-every", "2") == 0
    assert iterations()[-1] == 6


def test_patience_alone_scores_twenty_times(folder, capsys):
    assert own("--iterations", "20", "--patience", "30") == 0
    assert [entry["iteration"] for entry in json.loads((FOLDER / "scores.json").read_text())] == list(range(1, 21))


def test_a_negative_number_is_refused(folder, capsys):
    with pytest.raises(SystemExit):
        solve.main([*OWN, "--patience", "-1"])
    assert "--patience counts scorings" in capsys.readouterr().err
