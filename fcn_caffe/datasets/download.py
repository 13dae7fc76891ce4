"""Downloads: resumed after an interruption, checked, and present whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcn_caffe.progress import BYTES, progress

CHUNK = 1 << 20
ATTEMPTS = 5
SECONDS_BETWEEN = 2.0
TIMEOUT = 60.0


@dataclass(frozen=True)
class WebFile:
    """A file on the web.

    name: what it is called here. urls: where it is, tried in this order.
    checksum: "md5:…", "sha1:…" or "sha256:…" as somebody has stated it publicly; empty where nobody has.
    size: in bytes, where it is known exactly.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str = ""
    size: int | None = None


class Unusable(ValueError):
    """The server's answer is not the file."""


_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, socket.timeout)
"""Errors that may not occur again in another attempt. (Until Python 3.9 a socket's timeout is no TimeoutError.)"""


def download(file: WebFile, folder: Path) -> Path:
    """The file's path in `folder`, where it is put unless it is there; checked in both cases.

    Where nobody has stated a checksum, the SHA-256 of the first download is kept beside it, in NAME.sha256, and later
    ones must agree with it. What has arrived of a broken download stays in NAME.part, for the next call.
    Raises OSError if no address gives the file, and ValueError if it is not the one that was expected.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / file.name, folder / f"{file.name}.part"
    if path.exists():
        verify(path, file)
        return path
    problems = []
    for url in file.urls:
        try:
            _fetch(url, part, file.size)
            verify(part, file, remembered=path)
        except (*_BROKEN, Unusable) as error:
            problems.append(f"{url}: {error}")
            continue
        os.replace(part, path)
        _validator(part).unlink(missing_ok=True)
        return path
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise OSError(
        f"{file.name} could not be had:{lines}\n  Run it again to go on where it stopped; or get the file "
        f"elsewhere, and put it at '{path}'."
    )


def verify(path: Path, file: WebFile, remembered: Path | None = None) -> None:
    """Raises ValueError unless a file has the stated checksum, or the one that the first download had.

    remembered: the path whose .sha256 counts, if not the file's own. A file of a broken or foreign download is deleted
    if its name says that it is one (.part), so that the next call begins anew.
    """
    algorithm, _, expected = file.checksum.partition(":")
    beside = Path(f"{remembered or path}.sha256")
    if not expected and beside.exists():
        algorithm, expected = "sha256", beside.read_text().split()[0]
    found = checksum(path, algorithm or "sha256")
    if not expected:
        beside.write_text(f"{found}  {file.name}\n")
        print(f"{file.name}: nobody states a checksum; SHA-256 {found} is kept in {beside.name}", file=sys.stderr)
    elif found != expected.lower():
        if path.suffix == ".part":
            path.unlink()
            _validator(path).unlink(missing_ok=True)
            raise Unusable(f"the file has {algorithm} {found}, expected {expected}. It is deleted.")
        raise ValueError(f"'{path}' has {algorithm} {found}, expected {expected}. Delete it to fetch it again.")


def checksum(path: Path, algorithm: str) -> str:
    """The hexadecimal checksum of a file. MD5 and SHA-1 find damage, not malice."""
    state = hashlib.new(algorithm)
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            state.update(block)
    return state.hexdigest()


def _fetch(url: str, part: Path, size: int | None) -> None:
    """Bring `part` to the size that the server says, in several attempts if the connection breaks."""
    if not url.startswith(("http://", "https://")):
        raise Unusable("not an http or https address")
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(SECONDS_BETWEEN * attempt)
        try:
            if _attempt(url, part, size):
                return
            problem: Exception = ConnectionError("the connection ended early")
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise
            problem = error
        except _BROKEN as error:
            problem = error
    raise problem


def _attempt(url: str, part: Path, size: int | None) -> bool:
    """Go on with `part`; whether it is complete then."""
    have = part.stat().st_size if part.exists() else 0
    try:
        response = urllib.request.urlopen(_request(url, part, have), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        said = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if said and int(said[1]) == have:
            return True
        part.unlink()
        return False
    with response:
        if have and not _goes_on(response, have):
            have = 0
        total = _total(response, have)
        if response.headers.get_content_type() == "text/html" and not url.endswith((".html", ".htm")):
            raise Unusable("the server gives a web page, not the file")
        if size is not None and total not in (None, size):
            raise Unusable(f"the server's file has {total} bytes, expected {size}")
        _check_room(part, (total or 0) - have)
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if validator and not have:
            _validator(part).write_text(validator)
        with open(part, "ab" if have else "wb") as file, progress(part.stem, BYTES, total or 0, have) as advance:
            for block in iter(lambda: response.read(CHUNK), b""):
                file.write(block)
                advance(by=len(block))
    return total is None or part.stat().st_size == total


def _request(url: str, part: Path, have: int) -> urllib.request.Request:
    headers = {"User-Agent": "fcn-caffe", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if _validator(part).exists():
            headers["If-Range"] = _validator(part).read_text()
    return urllib.request.Request(url, headers=headers)


def _goes_on(response: Any, have: int) -> bool:
    """Whether the server goes on after the first `have` bytes, rather than from the start."""
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return response.status == http.client.PARTIAL_CONTENT and start is not None and int(start[1]) == have


def _total(response: Any, have: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return have + int(length) if length.isdecimal() else None


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"{free >> 20} MB are left on the disk, expected {needed >> 20} for {part.stem}. Make room, run it again",
        )


def _validator(part: Path) -> Path:
    """Where it is kept which version of the file the server had."""
    return Path(f"{part}.version")
