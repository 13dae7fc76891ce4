"""Images and pictures of their edges, in pairs of files."""

import numpy as np
import pytest

from fcn_caffe.data_layers.edge_folder_layers import EdgeFolderDataLayer
from tests.data_layers.driver import Driver
from tests.data_layers.miniatures import save

EDGES = np.array([[0, 1, 100, 127, 128, 200, 255]], np.uint8)


@pytest.fixture
def folders(tmp_path):
    for name in ("a", "more/b"):
        save(np.full((1, 7, 3), 100, np.uint8), tmp_path, "images", f"{name}.jpg")
        save(EDGES, tmp_path, "edges", f"{name}.png")
    return tmp_path


def driver(folders, **params):
    return Driver(EdgeFolderDataLayer, images=str(folders / "images"), edges=str(folders / "edges"), **params)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0, 0, 0, 0, 1, 1, 1]),
        ({"least": 1}, [0, 1, 1, 1, 1, 1, 1]),
        ({"doubt": True}, [0, 255, 255, 255, 1, 1, 1]),
        ({"least": 255, "doubt": True}, [0, 255, 255, 255, 255, 255, 1]),
    ],
)
def test_gray_values_become_edges_and_void(folders, settings, expected):
    data, edges = driver(folders, **settings).forward()
    assert data.shape == (1, 3, 1, 7)
    assert edges[0, 0, 0].tolist() == expected


def test_colours_count_by_their_brightest_channel(folders):
    save(np.array([[[0, 200, 0], [9, 9, 9]]], np.uint8).repeat([1, 6], axis=1), folders, "edges", "a.png")
    _, edges = driver(folders).forward()
    assert edges[0, 0, 0].tolist() == [1, 0, 0, 0, 0, 0, 0]


def test_a_list_of_pairs_says_which_belong_together(folders):
    save(255 - EDGES, folders, "edges", "other.png")
    (folders / "train_pair.lst").write_text("images/more/b.jpg edges/other.png\nimages/a.jpg edges/a.png\n")
    layer = driver(folders, split=str(folders / "train_pair.lst"), randomize=False)
    assert layer.layer.indices == ["more/b", "a"]
    assert layer.forward()[1][0, 0, 0].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert layer.forward()[1][0, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"least": 0}, "least is 0, expected a whole number of at least 1"), ({"least": 256}, "expected at most 255")],
)
def test_wrong_settings_are_refused(folders, settings, words):
    with pytest.raises(ValueError, match=words):
        driver(folders, **settings)


def test_an_image_without_edges_is_told(folders):
    save(np.zeros((1, 7, 3), np.uint8), folders, "images", "alone.png")
    with pytest.raises(FileNotFoundError, match="1 name.s. of .* have no label: alone"):
        driver(folders)
