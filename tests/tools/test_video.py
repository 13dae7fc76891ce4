"""tools/infer.py: videos and cameras, by ffmpeg."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.commands import infer
from fcn_caffe.inference import video
from tests.tools.test_infer_many import LINE, folder  # noqa: F401 - a fixture

pytest.importorskip("imageio_ffmpeg", reason="needs imageio-ffmpeg: pip install 'fcn-caffe[video]'")
FRAMES, RATE = 7, 12.5


@pytest.fixture
def film(folder):  # noqa: F811
    """A film of seven frames of odd size, each brighter than the one before."""
    with video.writing(Path("film.mp4"), RATE) as write:
        for frame in range(FRAMES):
            write(Image.new("RGB", (47, 33), (20 + 30 * frame, 60, 90)))
    return folder


def frames(path):
    with video.reading(path) as source:
        return list(source), source.rate


def test_a_film_is_written_with_its_frames_and_its_rate(film):
    seen, rate = frames("film.mp4")
    assert (len(seen), rate) == (FRAMES, RATE)
    assert seen[0].shape == (34, 48, 3)  # H.264 has even sides alone
    assert all(np.diff([frame[..., 0].mean() for frame in seen]) > 20)


def test_the_overlay_of_a_film_is_a_film_of_its_rate(film, capsys):
    assert infer.main([*LINE, "film.mp4", "--out", "out", "--json", "film.json"]) == 0
    assert "film.mp4: 7 frames, 12.5 a second: class " in capsys.readouterr().out
    seen, rate = frames("out/film_overlay.mp4")
    assert (len(seen), rate) == (FRAMES, RATE)
    poster = np.asarray(Image.open("out/film_overlay.png"), float)
    assert np.abs(poster - seen[0]).mean() < 12
    told = json.loads(Path("film.json").read_text())["film.mp4"]
    assert (told["frames"], told["rate"], told["width"], told["height"]) == (7, 12.5, 48, 34)
    assert infer.main([*LINE, "film.mp4", "--out", "out"]) == 0


def test_some_frames_and_a_film_in_a_folder(film):
    Path("film.mp4").rename("photos/deep/film.mp4")
    assert infer.main([*LINE, "photos", "--out", "out", "--frames", "3"]) == 0
    assert len(frames("out/deep/film_overlay.mp4")[0]) == 3
    assert Path("out/a.png").exists()


def test_a_camera(folder, monkeypatch):  # noqa: F811
    monkeypatch.setattr(video, "CAMERA_FORMAT", "lavfi")
    monkeypatch.setattr(video, "CAMERA_PATH", "testsrc=size=64x48:rate=10:n={}")
    assert infer.main([*LINE, "camera:1", "--frames", "4", "--out", "out"]) == 0
    seen, rate = frames("out/camera1_overlay.mp4")
    assert (len(seen), rate, seen[0].shape) == (4, 10, (48, 64, 3))


@pytest.mark.parametrize(
    ("name", "words"),
    [("nowhere.mp4", "there is no file"), ("bad.mp4", "no video that ffmpeg reads"), ("camera:99", "no camera that")],
)
def test_what_is_no_film_is_told_and_the_others_are_done(film, name, words, capsys):
    Path("bad.mp4").write_bytes(b"no film")
    assert infer.main([*LINE, name, "photos/a.png", "--out", "out"]) == 1
    assert f"infer: {name}: '" in (said := capsys.readouterr().err) or words in said
    assert words in said
    assert Path("out/a.png").exists()
    assert not list(Path("out").glob("*.part*"))


def test_a_film_that_ends_early_is_told(film, monkeypatch, capsys):
    every = video.Footage.__iter__
    monkeypatch.setattr(video.Footage, "__iter__", lambda self: islice(every(self), 3))
    assert infer.main([*LINE, "film.mp4", "--out", "out"]) == 0
    assert "film.mp4: 3 frames could be read, of 7 by its length and rate" in capsys.readouterr().err
    assert infer.main([*LINE, "film.mp4", "--out", "out", "--frames", "3"]) == 0
    assert "could be read" not in capsys.readouterr().err
