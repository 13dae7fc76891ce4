"""fcn report: one page that tells all of a training, needs nothing else, and can be looked at, light and dark."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.commands import report, solve
from fcn_caffe.pictures.difference import NOT_COUNTED, WRONG, difference
from fcn_caffe.reporting import charts
from fcn_caffe.reporting.charts import ChartLine
from fcn_caffe.scoring import detail, metrics
from fcn_caffe.training import losses, runs
from tests.browser import browser
from tests.tools.test_solve import OWN, own

PAGE = Path("snapshot/toy-fcn16s/report.html")
WORSE_THAN_NOTHING = re.compile(r"""(?:src|href|url\()\s*=?\s*["']?(?!data:|#)(\w+:)?//|<link|<script|@import""")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """What the first test has trained, for those after it."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def trained(folder, kept):
    """toy-fcn32s and toy-fcn16s from it, on three classes with names."""
    if any(kept.iterdir()):
        for name in ("mine", "out", "snapshot"):
            shutil.copytree(kept / name, name, dirs_exist_ok=True)
        return PAGE.read_text(encoding="utf-8")
    Path("mine/classes.txt").write_text("background\nsea & sky\nrock\n")
    assert own("--chain", "--iterations", "4", "--score-every", "2", variant="demo-fcn16s") == 0
    for name in ("mine", "out", "snapshot"):
        shutil.copytree(name, kept / name)
    return PAGE.read_text(encoding="utf-8")


def test_a_chain_ends_with_a_report_on_all_of_its_stages(trained, capsys):
    assert report.main(["toy-fcn16s", "--out", "again.html"]) == 0
    assert capsys.readouterr().out.strip().endswith("again.html")
    again = Path("again.html").read_text(encoding="utf-8")
    for text in (trained, again):
        for stage in ("toy-fcn32s", "toy-fcn16s"):
            assert f"<h2>Training of {stage}</h2>" in text
            scores = json.loads(Path(f"snapshot/{stage}/scores.json").read_text())[-1]["label"]
            for metric in ("pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu"):
                assert f"{scores[metric]:.4f}" in text
        assert text.count("sea &amp; sky") > 4
        assert html.escape(runs.command_line()) in text
        assert "PyTorch" in text
        assert "seed 1" in text


def test_the_page_needs_nothing_beside_it(trained):
    assert not WORSE_THAN_NOTHING.search(trained)
    assert trained.count('src="data:image/') == 3 * 4  # three validation images: image, truth, prediction, difference


def test_the_matrix_is_that_of_the_scores(trained):
    folder = Path("snapshot/toy-fcn16s")
    (found,) = detail.read(folder, 4).values()
    last = json.loads((folder / "scores.json").read_text())[-1]["label"]
    assert metrics.scores(found.confusion).mean_iu == pytest.approx(last["mean_iu"])
    assert [image.name for image in found.images] == ["image0", "image1", "image2"]
    row = found.confusion[1] / found.confusion[1].sum()
    assert f"<title>sea &amp; sky predicted as rock: {row[2]:.1%}</title>" in trained


def test_a_training_of_an_older_version_is_scored_again(trained):
    folder = Path("snapshot/toy-fcn16s")
    before = detail.read(folder, 4)["label"].confusion
    for name in ("scored.json", "runs.json"):
        (folder / name).unlink()
    rows = [line.split(",")[:3] for line in (folder / "loss.csv").read_text().splitlines()]
    (folder / "loss.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    assert report.main(["toy-fcn16s"]) == 0
    text = PAGE.read_text(encoding="utf-8")
    share = (before[1] / before[1].sum())[2]
    assert f"predicted as rock: {share:.1%}" in text
    assert "not recorded" in text


def test_where_the_images_are_gone_the_rest_is_told(trained, capsys):
    Path("mine/JPEGImages").rename("elsewhere")
    assert report.main(["toy-fcn16s"]) == 0
    assert "images are left out" in capsys.readouterr().err
    text = PAGE.read_text(encoding="utf-8")
    assert "Left out: " in text
    assert "<h2>Confusion</h2>" in text


def test_what_no_report_wrote_is_not_overwritten(trained, capsys):
    Path("mine.html").write_text("<html>my own</html>")
    assert report.main(["toy-fcn16s", "--out", "mine.html"]) == 1
    assert "'mine.html' is there already, and no report of this project" in capsys.readouterr().err
    PAGE.write_text("my own")
    assert own("--iterations", "5", "--resume", variant="demo-fcn16s") == 0
    assert "WARNING: no report: " in capsys.readouterr().err
    assert PAGE.read_text() == "my own"


def test_nets_that_were_not_trained_are_told(folder, capsys):
    assert report.main(["demo-fcn8s"]) == 1
    assert "Run `fcn solve demo-fcn8s` first" in capsys.readouterr().err
    assert report.main(["nothing"]) == 1
    assert "nothing: no such training" in capsys.readouterr().err


def test_no_report_is_written_unasked(folder):
    assert solve.main([*OWN, "--iterations", "1", "--no-report"]) == 0
    assert not Path("snapshot/toy-fcn32s/report.html").exists()


def test_every_iteration_has_its_rate_and_seconds(trained):
    found = losses.read("toy-fcn16s")
    assert found.iterations.tolist() == [0, 1, 2, 3]
    assert (found.rates > 0).all()
    assert (found.seconds > 0).all()


def test_a_file_of_an_older_version_goes_on_with_rates_and_seconds(trained):
    path = Path("snapshot/toy-fcn16s/loss.csv")
    path.write_text("\n".join(",".join(line.split(",")[:3]) for line in path.read_text().splitlines()) + "\n")
    assert own("--iterations", "5", "--resume", variant="demo-fcn16s") == 0
    found = losses.read("toy-fcn16s")
    assert found.iterations.tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(found.rates).tolist() == [True] * 4 + [False]


def test_runs_are_told_of_in_order(trained):
    assert own("--iterations", "5", "--resume", variant="demo-fcn16s") == 0
    runs = json.loads(Path("snapshot/toy-fcn16s/runs.json").read_text())
    assert [run["iteration"] for run in runs] == [0, 4]
    assert all({"fcn-caffe", "Caffe", "Python", "NumPy", "PyTorch"} <= run["versions"].keys() for run in runs)


def test_peaks_of_a_long_training_stay_in_the_picture():
    values = np.full(20_000, 0.5)
    values[12_345] = 4.0
    drawn = charts.chart("loss", "x", "y", [ChartLine(np.arange(20_000.0), values, "raw")])
    heights = [float(y) for y in re.findall(r"[\d.]+,([\d.]+)", re.search(r'points="([^"]*)"', drawn)[1])]
    assert len(heights) <= 2 * charts.MOST_POINTS
    assert min(heights) == pytest.approx(charts.TOP, abs=1)


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0], [np.nan, 1.0], [1e-9, 1e9], [-3.0, -2.0], []])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_any_values_can_be_drawn(values, logarithmic):
    line = ChartLine(np.arange(float(len(values))), np.array(values, float), "raw", marks=True)
    drawn = charts.chart("loss", "x", "y", [line], logarithmic)
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_the_difference_shows_what_is_wrong_and_what_does_not_count():
    image = Image.new("RGB", (4, 1), (10, 200, 30))
    picture = np.asarray(difference(image, np.array([[0, 1, 255, 1]]), np.array([[0, 2, 2, 1]]), 3))
    assert picture[0, 1].tolist() == list(WRONG)
    assert abs(picture[0, 2].astype(int) - NOT_COUNTED).max() < 80
    assert picture[0, 0].tolist() == picture[0, 3].tolist()
    assert len(set(picture[0, 0].tolist())) == 1


@pytest.mark.slow(reason="starts a browser")
def test_a_browser_shows_the_page_light_and_dark(trained):
    address = PAGE.resolve().as_uri()
    with browser() as window:
        grounds = []
        for theme in ("light", "dark"):
            window.theme(theme)
            window.open(address)
            window.wait("[...document.images].every((image) => image.complete && image.naturalWidth)")
            grounds.append(window.run("getComputedStyle(document.body).backgroundColor"))
            assert window.run("document.documentElement.scrollWidth <= innerWidth")
            window.screenshot(f"{theme}.png")
            assert len(Image.open(f"{theme}.png").convert("RGB").getcolors(1 << 24)) > 50
        assert grounds[0] != grounds[1]
        assert window.run("document.querySelectorAll('svg').length") == 5
        assert [each for each in window.asked if not each.startswith(("file:", "data:"))] == []
        assert window.errors == []
