"""The files that the cases of data layers read; each function fills an empty folder."""

from pathlib import Path

import h5py
import lmdb
import numpy as np
from PIL import Image

from caffe.formats import binaryproto
from caffe.proto import caffe_pb2

SEED_LAYER = """
import caffe

class Seed(caffe.Layer):
    def setup(self, bottom, top):
        caffe.set_random_seed(int(self.param_str))
    def reshape(self, bottom, top): pass
    def forward(self, bottom, top): pass
    def backward(self, top, propagate_down, bottom): pass
"""


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (height, width, channels)).astype(np.uint8)


def write_lmdb(path: Path, datums: list) -> None:
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        for index, datum in enumerate(datums):
            transaction.put(f"{index:08d}".encode(), datum.SerializeToString())


def datum(image: np.ndarray, label: int):
    """image: C×H×W, uint8 or float32."""
    channels, height, width = image.shape
    message = caffe_pb2.Datum(channels=channels, height=height, width=width, label=label)
    if image.dtype == np.uint8:
        message.data = image.tobytes()
    else:
        message.float_data.extend(image.ravel().tolist())
    return message


def encoded(path: Path, label: int):
    return caffe_pb2.Datum(data=path.read_bytes(), encoded=True, label=label)


def raw_lmdb(folder: Path) -> None:
    (folder / "seed_layer.py").write_text(SEED_LAYER)
    images = [pixels(6, 5, seed=seed).transpose(2, 0, 1) for seed in range(5)]
    write_lmdb(folder / "lmdb", [datum(image, 10 * index) for index, image in enumerate(images)])
    mean = np.linspace(0, 200, 90, dtype=np.float32).reshape(1, 3, 6, 5)
    binaryproto.write(folder / "mean.binaryproto", mean)
    binaryproto.write(folder / "other_mean.binaryproto", mean[:, :, :5])


def float_lmdb(folder: Path) -> None:
    images = [np.random.RandomState(seed).standard_normal((2, 3, 4)).astype(np.float32) for seed in range(3)]
    write_lmdb(folder / "lmdb", [datum(image, -index) for index, image in enumerate(images)])


def growing_lmdb(folder: Path) -> None:
    write_lmdb(folder / "lmdb", [datum(pixels(3 + n, 4, 1, seed=n).transpose(2, 0, 1), n) for n in range(3)])


def encoded_lmdb(folder: Path) -> None:
    """Datums that hold PNG files: in colour, in grey, with alpha."""
    color, grey, alpha = (folder / f"{name}.png" for name in ("color", "grey", "alpha"))
    Image.fromarray(pixels(5, 7)).save(color)
    Image.fromarray(pixels(5, 7, 1, seed=1)[..., 0]).save(grey)
    Image.fromarray(pixels(5, 7, 4, seed=2)).save(alpha)
    write_lmdb(folder / "lmdb", [encoded(color, 1), encoded(grey, 2)])
    write_lmdb(folder / "alpha", [encoded(alpha, 3)])
    write_lmdb(folder / "color", [encoded(color, 1)])
    write_lmdb(folder / "grey", [encoded(grey, 2)])


def empty_lmdb(folder: Path) -> None:
    write_lmdb(folder / "lmdb", [])


def image_list(folder: Path) -> None:
    (folder / "seed_layer.py").write_text(SEED_LAYER)
    (folder / "images").mkdir()
    lines = []
    for index, size in enumerate([(6, 5), (6, 5), (6, 5), (8, 4), (12, 10)]):
        Image.fromarray(pixels(*size, seed=index)).save(folder / f"images/{index}.png")
        lines.append(f"images/{index}.png {index + 3}\n")
    rgba = np.dstack([pixels(6, 5), pixels(6, 5, 1, seed=9)])
    Image.fromarray(rgba).save(folder / "images/with alpha.png")
    Image.fromarray(pixels(6, 5)).quantize(7).save(folder / "images/palette.png")
    Image.fromarray(pixels(6, 5, 1)[..., 0]).save(folder / "images/grey.png")
    (folder / "same.txt").write_text("".join(lines[:3]))
    mean = np.linspace(0, 99, 3 * 6 * 5, dtype=np.float32).reshape(1, 3, 6, 5)
    binaryproto.write(folder / "mean.binaryproto", mean)
    (folder / "sizes.txt").write_text("".join(lines))
    Image.fromarray(pixels(6, 5, 2)).save(folder / "images/grey with alpha.png")
    (folder / "modes.txt").write_text("with alpha.png 1\npalette.png -2\ngrey.png 3\ngrey with alpha.png +4\n")
    (folder / "missing.txt").write_text(lines[0] + "images/none.png 1\n")
    (folder / "empty.txt").write_text("")
    (folder / "no_labels.txt").write_text("images/0.png\nimages/1.png\n")


def windows(folder: Path) -> None:
    (folder / "seed_layer.py").write_text(SEED_LAYER)
    for index in range(2):
        Image.fromarray(pixels(20, 30, seed=index)).save(folder / f"{index}.png")
    boxes = ["3 0.9 2 3 15 17", "5 0.5 0 0 29 19", "1 0.6 20 10 29 19", "2 0.3 5 5 8 9", "0 0.0 10 0 14 3"]
    text = ""
    for index in range(2):
        chosen = boxes[index:]
        text += f"# {index}\n{index}.png\n3\n20\n30\n{len(chosen)}\n" + "".join(f"{box}\n" for box in chosen)
    (folder / "windows.txt").write_text(text)
    (folder / "objects.txt").write_text("# 0\n0.png\n3\n20\n30\n1\n3 0.9 2 3 15 17\n")
    (folder / "no_class.txt").write_text("# 0\n0.png\n3\n20\n30\n2\n0 0.9 2 3 15 17\n0 0.1 2 3 15 17\n")
    (folder / "empty.txt").write_text("")
    binaryproto.write(
        folder / "mean.binaryproto", np.linspace(0, 99, 3 * 14 * 14, dtype=np.float32).reshape(1, 3, 14, 14)
    )


def hdf5_files(folder: Path) -> None:
    rng = np.random.RandomState(0)
    for name, rows in (("a", 3), ("b", 4)):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["data"] = rng.standard_normal((rows, 2, 3)).astype(np.float32)
            file["label"] = rng.randint(0, 9, rows)
            file["double"] = rng.standard_normal((rows, 1, 1, 2, 2))
            file["short"] = np.zeros((rows - 1, 2), np.float32)
            file["scalar"] = np.float32(3)
    (folder / "one.txt").write_text("a.h5\n")
    (folder / "two.txt").write_text("a.h5\nb.h5\n")
    (folder / "empty.txt").write_text("\n")
    (folder / "missing.txt").write_text("none.h5\n")


def python_layers(folder: Path) -> None:
    (folder / "user_layers.py").write_text('''
import caffe

class Ramp(caffe.Layer):
    """Two tops without a bottom; param_str is the size."""
    def setup(self, bottom, top):
        self.size = int(self.param_str)
        self.calls = 0
    def reshape(self, bottom, top):
        top[0].reshape(self.size, 2)
        top[1].reshape(1)
    def forward(self, bottom, top):
        self.calls += 1
        top[0].data[...] = [[i, self.calls] for i in range(self.size)]
        top[1].data[...] = self.phase
    def backward(self, top, propagate_down, bottom):
        pass

class Scale(caffe.Layer):
    """Multiplies by a parameter; two bottoms are added up."""
    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = 3
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)
    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data[0] * sum(bottom[i].data for i in range(len(bottom)))
    def backward(self, top, propagate_down, bottom):
        total = 0
        for i in range(len(bottom)):
            if propagate_down[i]:
                bottom[i].diff[...] = self.blobs[0].data[0] * top[0].diff
            total += (top[0].diff * bottom[i].data).sum()
        self.blobs[0].diff[...] += total

class Loss(caffe.Layer):
    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise Exception("Need two inputs to compute distance.")
    def reshape(self, bottom, top):
        top[0].reshape(1)
    def forward(self, bottom, top):
        top[0].data[...] = ((bottom[0].data - bottom[1].data) ** 2).sum() / bottom[0].num / 2
    def backward(self, top, propagate_down, bottom):
        for i, sign in enumerate([1, -1]):
            if propagate_down[i]:
                bottom[i].diff[...] = sign * (bottom[0].data - bottom[1].data) / bottom[i].num * top[0].diff
''')
