"""A web server for tests of downloads: it knows ranges and versions, and fails when told to."""

import contextlib
import http.server
import re
import threading


class Site:
    """What the server gives, and how.

    files: contents by path. most: bytes that an answer has before the connection ends. statuses: answers to come
    before any other. ranges: whether parts of files are given. requests: (path, range) of every request.
    """

    def __init__(self):
        self.files, self.statuses, self.requests = {}, [], []
        self.most, self.ranges, self.kind, self.etag, self.length = None, True, "application/octet-stream", '"1"', True
        self.address = ""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        site, wanted = self.server.site, self.headers.get("Range")
        site.requests.append((self.path, wanted))
        content = site.files.get(self.path)
        status = site.statuses.pop(0) if site.statuses else 404 if content is None else 200
        if status != 200:
            self.send_error(status)
            return
        start = 0
        if wanted and site.ranges and self.headers.get("If-Range") in (None, site.etag):
            start = int(re.match(r"bytes=(\d+)-", wanted)[1])
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", site.etag)
        self.send_header("Content-Type", site.kind)
        if site.length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: site.most])

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def serving():
    """A Site, while it is served at `address`."""
    site = Site()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.site = site
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
