"""The scores beside a training's snapshots: written whole, and named where they cannot be read."""

import pytest

from fcn_caffe.training.score_history import read_scores, write_scores

SCORES = [{"iteration": 1, "label": {"mean_iu": 0.25}}, {"iteration": 2, "label": {"mean_iu": 0.5}}]


def test_scores_that_were_cut_off_are_refused_by_the_files_name(tmp_path):
    write_scores(tmp_path, SCORES)
    assert read_scores(tmp_path) == SCORES
    path = tmp_path / "scores.json"
    whole = path.read_bytes()
    for length in range(len(whole) - 2):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"scores\.json' holds no list of scorings .* Remove it"):
            read_scores(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "3", "[1, 2]", "\xff", "[" * 100_000, "[" + "9" * 5000 + "]"),
        *('[{"label": {"mean_iu": 1}}]', '[{"iteration": "2"}]', '[{"iteration": 2, "label": {}}]'),
        '[{"iteration": 2, "label": {"mean_iu": "1"}}]',
    ],
)
def test_a_file_of_something_else_is_refused_by_its_name(tmp_path, text):
    (tmp_path / "scores.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"scores\.json' holds no list of scorings"):
        read_scores(tmp_path)


def test_scores_that_cannot_be_written_leave_those_of_before(tmp_path):
    write_scores(tmp_path, SCORES)
    with pytest.raises(TypeError):
        write_scores(tmp_path, [{"iteration": object()}])
    assert read_scores(tmp_path) == SCORES
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]
