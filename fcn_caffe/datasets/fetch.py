"""Everything that can be downloaded by its name: data sets, weights, and the papers' list of validation images."""

from __future__ import annotations

from pathlib import Path

from fcn_caffe import names
from fcn_caffe.datasets import seg11valid
from fcn_caffe.datasets.download import download
from fcn_caffe.datasets.install import install, mirrored
from fcn_caffe.datasets.published_data import SOURCES, PublishedData
from fcn_caffe.datasets.published_weights import WEIGHTS, Weights

LIST = "seg11valid"


def fetch(name: str, folder: Path | None, downloads: Path, mirror: str) -> None:
    """Fetch one thing, by its name."""
    if name == LIST:
        voc_dir = folder or Path(SOURCES["voc2011"].target)
        done = seg11valid.install(voc_dir)
        print(f"{voc_dir}: the list {LIST}, 736 images, is {'written' if done else 'there already'}")
    elif name in WEIGHTS:
        weights = WEIGHTS[name]
        target = folder / Path(weights.target).name if folder else Path(weights.target)
        _announce(name, weights, target, bool(weights.file.checksum))
        file = mirrored(weights.file, mirror)
        print(f"{download(file, target.parent)}: complete. {weights.then}")
    elif name in SOURCES:
        source = SOURCES[name]
        target = folder or Path(source.target)
        _announce(name, source, target, all(part.file.checksum for part in source.parts))
        done = install(source, target, downloads, mirror)
        state = "complete" if done else "there already"
        print(f"{target} is {state}. Look it over: fcn data check {name}")
        if done:
            print(f"What it was made of stays in {downloads}; delete it where room is short.")
        for other in source.needs:
            print(f"It needs {other}, too: fcn data fetch {other}")
    else:
        listed = "`fcn data list` shows what there is."
        raise names.unknown(name, "data set or weights", [*SOURCES, LIST, *WEIGHTS], listed)


def _announce(name: str, what: PublishedData | Weights, target: Path, verified: bool) -> None:
    how = "publicly stated" if verified else "not stated by anybody for every file; that of the first download is kept"
    print(
        f"{name}: {what.title}\n  from       {what.page}\n  terms      {what.terms}\n  size       {what.size}\n"
        f"  checksums  {how}\n  to         {target}",
        flush=True,
    )


def overview() -> str:
    """A line for everything that can be fetched."""
    everything: dict[str, PublishedData | Weights] = {**SOURCES, **WEIGHTS}
    lines = [f"{'name':24} {'size':16} {'here':5} where it belongs                          what it is"]
    for name, what in everything.items():
        here = "yes" if Path(what.target).exists() else "no"
        lines.append(f"{name:24} {what.size:16} {here:5} {what.target:41} {what.title}")
    lines.append(f"{LIST:24} {'9 KB':16} {'yes':5} {'in PASCAL VOC':41} the papers' 736 validation images (bundled)")
    return "\n".join(lines)
