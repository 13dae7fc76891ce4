"""The lists of ImageData, HDF5Data and WindowData, and of commands: marks, line ends, encodings, names of any bytes."""

import os

import h5py
import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.cli import main
from caffe.data import batch_sources, lists
from caffe.errors import DataError

NAME = "Fuß.png"
TEXT = f"{NAME} 3\nb.png 4\n"
LAYERS = {
    "ImageData": ('image_data_param { source: "list.txt" batch_size: 1 }', TEXT),
    "HDF5Data": ('hdf5_data_param { source: "list.txt" batch_size: 1 }', "ä.h5\nb.h5\n"),
    "WindowData": (
        'window_data_param { source: "list.txt" batch_size: 2 } transform_param { crop_size: 4 }',
        f"# 0\n{NAME}\n3\n8\n9\n2\n1 1 0 0 5 5\n0 0 0 0 5 5\n",
    ),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    for name in (NAME, "b.png"):
        Image.fromarray(pixels).save(name)
    for name in ("ä.h5", "b.h5"):
        with h5py.File(name, "w") as file:
            file["data"], file["label"] = np.ones((2, 3)), np.full(2, 7.0)
    return tmp_path


def net(layer: str, content: bytes) -> caffe.Net:
    with open("list.txt", "wb") as file:
        file.write(content)
    with open("net.prototxt", "w") as file:
        file.write(f'layer {{ name: "in" type: "{layer}" top: "data" top: "label" {LAYERS[layer][0]} }}')
    return caffe.Net("net.prototxt", caffe.TEST)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "rewritten",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\n\n"),
    ],
    ids=["mark", "CRLF", "mark and CRLF", "no end", "blank lines"],
)
def test_marks_and_line_ends_belong_to_no_name(folder, layer, rewritten):
    plain, other = (net(layer, text.encode()) for text in (LAYERS[layer][1], rewritten(LAYERS[layer][1])))
    for made in (plain, other):
        made.forward()
    assert plain.blobs["data"].data.shape == other.blobs["data"].data.shape
    assert sorted(plain.blobs["label"].data) == sorted(other.blobs["label"].data)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-16", "list.txt:1: UTF-16 found"),
        ("utf-32", "list.txt:1: UTF-32 found"),
        ("utf-16-le", "list.txt:1: zero bytes found"),
        ("latin-1", r"list.txt.*: the byte 0x(df|e4) found, which is not UTF-8.*in Latin-1"),
    ],
)
def test_other_encodings_are_refused_with_layer_file_and_remedy(folder, layer, encoding, words):
    with pytest.raises(DataError, match=rf"layer 'in' \({layer}\).*{words}.*Save it as UTF-8"):
        net(layer, LAYERS[layer][1].encode(encoding))


def test_a_file_whose_name_is_not_utf8_is_found_under_its_own_bytes(folder):
    os.rename(os.fsencode(NAME), NAME.encode("latin-1"))
    made = net("ImageData", TEXT.encode("latin-1"))
    made.forward()
    assert made.blobs["label"].data.item() == 3
    with pytest.raises(DataError, match="Could not load Fuß.png"):
        net("ImageData", TEXT.encode())


def test_the_line_of_another_encoding_is_named(folder):
    with pytest.raises(DataError, match=r"list.txt:2: the byte 0xe9"):
        net("ImageData", b"b.png 4\ncaf\xe9.png 3\n")


def test_line_separators_of_unicode_end_no_line(folder):
    name = "a\u2028b\x85.png"
    os.rename(NAME, name)
    assert net("ImageData", f"{name} 5\n".encode()).blobs["data"].data.shape == (1, 3, 8, 9)


def test_an_hdf5_file_in_place_of_a_list_is_recognised(folder):
    with open("b.h5", "rb") as file, pytest.raises(DataError, match=r"'in' \(HDF5Data\).*HDF5 file itself, expected"):
        net("HDF5Data", file.read())


def test_a_folder_is_no_list(folder):
    with pytest.raises(DataError, match="Correct the path"):
        lists.read_lines(folder, "cannot be read", "Correct the path.")


def test_commands_read_their_lists_alike(folder, capsys):
    with open("list.txt", "wb") as file:
        file.write(("\ufeff" + TEXT).encode("utf-8").replace(b"\n", b"\r\n"))
    assert main(["convert_imageset", f"{folder}/", "list.txt", "db"]) == 0
    assert "Processed 2 files" in capsys.readouterr().err
    with open("list.txt", "wb") as file:
        file.write(TEXT.encode("utf-16"))
    assert main(["convert_imageset", f"{folder}/", "list.txt", "db2"]) == 1
    assert "list.txt:1: UTF-16 found" in capsys.readouterr().err
    assert not os.path.exists("db2")


def test_the_label_is_the_number_after_the_last_space_as_in_bvlc_caffe(folder):
    os.rename("b.png", "b c.png")
    os.rename(NAME, "a\tb.png")
    read = read_image_list_of(b"b c.png 3\na\tb.png 4\nb c.png \t5\nb c.png 6\t\na\tb.png\n")
    assert read == [("b c.png", 3), ("a\tb.png", 4), ("b c.png", 5), ("b c.png", 6), ("a\tb.png", 0)]


@pytest.mark.parametrize("line", ["b.png\t4", "b.png\t 4", "my photos/b.png\t4"])
def test_a_tab_between_path_and_label_is_told_with_file_and_line(folder, line):
    words = r"layer 'in' \(ImageData\).*list.txt:2: '.*\\t.*4' has a tab, expected path, space, label"
    with pytest.raises(DataError, match=words):
        net("ImageData", f"{NAME} 3\n{line}\n".encode())


def read_image_list_of(content: bytes) -> list[tuple[str, int]]:
    with open("list.txt", "wb") as file:
        file.write(content)
    return batch_sources.read_image_list("list.txt", "x")
