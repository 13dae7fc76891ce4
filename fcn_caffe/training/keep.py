"""Removes snapshots of a training, except the newest and the best-scored ones. It removes only those that this run
wrote.
"""

from __future__ import annotations

import re
from pathlib import Path

_FILE = re.compile(r"train_iter_(\d+)\.(caffemodel|solverstate|layerstate\.json)")
_WHOLE = {"caffemodel", "solverstate"}

_Identity = tuple  # inode, time and size: what changes when a file is written again under its name


class Keeper:
    """Removes what the snapshots of this run are too many of. What lies in the folder already is not this run's.

    keep: how many of the newest ones stay; 0: all.
    """

    def __init__(self, folder: Path, keep: int):
        self.folder, self.keep = folder, keep
        self._before = self._files()

    def _files(self) -> dict[Path, _Identity]:
        found = {}
        for path in self.folder.glob("train_iter_*"):
            status = path.stat()
            found[path] = (status.st_ino, status.st_mtime_ns, status.st_size)
        return found

    def prune(self, best: int | None = None) -> None:
        """Remove this run's snapshots but for the newest ones and that of iteration `best`."""
        own = self._own()
        whole = sorted(iteration for iteration, files in own.items() if files.keys() >= _WHOLE)
        for iteration in whole[: -self.keep] if self.keep else []:
            if iteration != best:
                _remove(own[iteration])

    def drop_after(self, best: int) -> None:
        """Remove this run's snapshots after that of iteration `best`, which so becomes the newest."""
        for iteration, files in self._own().items():
            if iteration > best:
                _remove(files)

    def _own(self) -> dict[int, dict[str, Path]]:
        """The files of this run's snapshots, by iteration and kind."""
        own: dict[int, dict[str, Path]] = {}
        for path, identity in self._files().items():
            found = _FILE.fullmatch(path.name)
            if found and self._before.get(path) != identity:
                own.setdefault(int(found[1]), {})[found[2]] = path
        return own


def _remove(files: dict[str, Path]) -> None:
    for kind in ("solverstate", "layerstate.json", "caffemodel"):
        if kind in files:
            files[kind].unlink()
