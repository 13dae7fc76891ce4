"""The service: a page, the net's classes, and the labels of images that are sent. The standard library's server.

GET  /            the page
GET  /net         JSON: the net's name, its classes with their colours, what is taken
POST /segment     an image as the body; JSON: height, width, shares, and the labels as a PNG of class numbers (base64)
POST /overlay     an image as the body; the image with its classes coloured, as a PNG

Errors of requests are JSON, {"error": …}, with a status of 400 or more.
"""

from __future__ import annotations

import base64
import contextlib
import io
import ipaddress
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

import numpy as np
from PIL import Image

from fcn_caffe import program
from fcn_caffe.inference.segmenter import Segmentation, Segmenter
from fcn_caffe.serve.uploads import Limits, Refused, picture

PAGE = Path(__file__).with_name("page.html")
SECONDS = 30
"""How long a client may be silent."""
MOST_DISCARDED = 64_000_000
"""Bytes of a refused upload that are read all the same, so that the client gets the answer."""
CHUNK = 1 << 16
POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


class Service(ThreadingHTTPServer):
    """A thread for each request; the net computes for one after another, under its lock."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], segment: Segmenter, name: str, limits: Limits):
        """address: host and port; port 0: a free one. Raises OSError for a port that is taken."""
        self.segment, self.net_name, self.limits = segment, name, limits
        self.free = threading.BoundedSemaphore(limits.waiting)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone can reach it."""
        return ipaddress.ip_address(str(self.server_address[0])).is_loopback

    @property
    def address(self) -> str:
        """Where the page is."""
        host = str(self.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    def describe(self) -> dict[str, Any]:
        """The description of the net for the page."""
        legend = self.segment.legend
        return {
            "name": self.net_name,
            "upright": self.segment.upright,
            "background": legend.background,
            "classes": [
                {"name": legend.name(cls), "colour": legend.colours[cls].tolist()}
                for cls in range(self.segment.n_classes)
            ],
            "most_bytes": self.limits.size,
            "most_pixels": self.limits.pixels,
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the service."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Service
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fcn-caffe", ""
    timeout = SECONDS

    def do_GET(self) -> None:
        """The page, and what it asks for."""
        self._answer({"/": self._page, "/net": self._net}, {"/segment": "POST", "/overlay": "POST"})

    def do_POST(self) -> None:
        """An image to segment."""
        self._answer({"/segment": self._segment, "/overlay": self._overlay}, {"/": "GET", "/net": "GET"})

    def send_error(self, code: int, message: Optional[str] = None, explain: Optional[str] = None) -> None:
        """What the standard library's server refuses by itself, such as a method of no kind here: as JSON, too."""
        status = HTTPStatus(code)
        self.close_connection = True
        words = f"{message or status.phrase}. The page is at /, and images are sent by POST."
        self._send_json(status, {"error": words}, {"Connection": "close"})

    def log_message(self, format: str, *args: Any) -> None:
        """One line on stderr for each request."""
        print(f"serve: {self.address_string()} {format % args}", file=sys.stderr, flush=True)

    def _answer(self, known: dict[str, Callable[[], None]], elsewhere: dict[str, str]) -> None:
        path = self.path.partition("?")[0]
        try:
            self._check_host()
            if path in elsewhere:
                words = f"{path} takes {elsewhere[path]}, not {self.command}."
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, words)
            if path not in known:
                raise Refused(HTTPStatus.NOT_FOUND, f"There is nothing at {path}. The page is at /.")
            known[path]()
        except Refused as refused:
            self._refuse(refused, elsewhere.get(path))
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            if isinstance(error, (ConnectionError, TimeoutError)):
                raise
            print(f"serve: {self.command} {path}: {program.words(error)}", file=sys.stderr, flush=True)
            self._refuse(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"The net failed: {program.words(error)}"), None)

    def _check_host(self) -> None:
        """Raises Refused if a service for this machine only is reached by another host name, as from a page of another
        site.
        """
        host = self.headers.get("Host", "").rpartition("@")[2]
        name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
        if not self.server.is_loopback or name in ("", "localhost"):
            return
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(name).is_loopback:
                return
        raise Refused(HTTPStatus.MISDIRECTED_REQUEST, f"This service is that of localhost, not of {host}.")

    def _page(self) -> None:
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", PAGE.read_bytes())

    def _net(self) -> None:
        self._send_json(HTTPStatus.OK, self.server.describe())

    def _segment(self) -> None:
        with self._segmented() as found:
            height, width = found.labels.shape
            values = {
                "height": height,
                "width": width,
                "shares": found.share(),
                "labels": base64.b64encode(_png(Image.fromarray(found.labels.astype(np.uint8)))).decode(),
            }
            self._send_json(HTTPStatus.OK, values)

    def _overlay(self) -> None:
        with self._segmented() as found:
            self._send(HTTPStatus.OK, "image/png", _png(found.overlay()))

    @contextlib.contextmanager
    def _segmented(self) -> Iterator[Segmentation]:
        """Segment the image in the body. Raises Refused for one that cannot be segmented."""
        if not self.server.free.acquire(blocking=False):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many images are waiting. Send it again in a while.")
        try:
            image = picture(self._body(), self.server.limits, self.server.segment.upright)
            yield self.server.segment(image)
        finally:
            self.server.free.release()

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "The image must come with its Content-Length.")
        most = self.server.limits.size
        if len(length) > 18 or int(length) > most:
            words = f"The file has {int(length[:18]):,} bytes, at most {most:,} are taken. Send a smaller one."
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
        content = self.rfile.read(int(length))
        self._read_all = True
        if len(content) < int(length):
            raise Refused(HTTPStatus.BAD_REQUEST, "The upload was cut off. Send it again.")
        return content

    _read_all = False
    """Whether nothing of a request's body is left to be read."""

    def _refuse(self, refused: Refused, method: Optional[str]) -> None:
        self.close_connection = True
        headers = {"Connection": "close", **({"Allow": method} if method else {})}
        if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = "2"
        self._send_json(refused.status, {"error": refused.words}, headers)
        if not self._read_all:
            self._discard()

    def _discard(self) -> None:
        """Read what a client is still sending: if the connection were closed, it would not get the answer."""
        length = self.headers.get("Content-Length", "0")
        left = min(int(length[:18]) if length.isascii() and length.isdigit() else 0, MOST_DISCARDED)
        while left > 0:
            got = len(self.rfile.read1(min(left, CHUNK)))
            left = left - got if got else 0

    def _send_json(self, status: HTTPStatus, values: dict[str, Any], headers: Optional[dict[str, str]] = None) -> None:
        self._send(status, "application/json", json.dumps(values).encode(), headers)

    def _send(self, status: HTTPStatus, kind: str, content: bytes, headers: Optional[dict[str, str]] = None) -> None:
        self.send_response(status)
        own = {"Content-Type": kind, "Content-Length": str(len(content)), "Cache-Control": "no-store"}
        safe = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        for name, value in {**own, **safe, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
