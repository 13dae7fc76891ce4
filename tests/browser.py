"""A real browser without a screen, Chromium, that tests drive by its own protocol through a pipe.

    with browser() as page:
        page.open("http://127.0.0.1:8000/")
        page.run("document.title")

Tests that need one are skipped, with these words, where none is installed.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
WORDS = "no Chromium is installed: `apt-get install chromium`, and the pages are looked at, too"
FLAGS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars", "--mute-audio"),
)


@contextlib.contextmanager
def browser(width=1200, height=900):
    """A page of a browser of its own. Skips the test where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(WORDS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        (theirs_in, to_them), (from_them, theirs_out) = os.pipe(), os.pipe()
        command = [program, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
        script = 'exec 3<&"$IN" 4>&"$OUT"; exec "$@"'  # the protocol's pipes are those numbers
        environment = {**os.environ, "IN": str(theirs_in), "OUT": str(theirs_out)}
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            env=environment,
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            with open(to_them, "wb", buffering=0) as sending, open(from_them, "rb") as receiving:
                yield Page(sending, receiving)
        finally:
            # Its helpers, too: they outlive the browser and would go on writing to the folder that is removed.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)


class Page:
    """What is open in the browser. errors: what its programs raised. asked: the addresses that it asked for."""

    def __init__(self, sending, receiving):
        self._sending, self._receiving, self._number, self._session = sending, receiving, 0, None
        self._waiting, self.errors, self.asked = bytearray(), [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for name in ("Page", "Runtime", "DOM", "Network"):
            self.call(f"{name}.enable")

    def call(self, method, **parameters):
        """A command of the protocol; its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._sending.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _next(self):
        while b"\0" not in self._waiting:
            part = self._receiving.read1(1 << 16)
            assert part, "the browser ended"
            self._waiting += part
        content, _, rest = self._waiting.partition(b"\0")
        self._waiting = bytearray(rest)
        message = json.loads(content)
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(message["params"]["exceptionDetails"])
        if message.get("method") == "Network.requestWillBeSent":
            self.asked.append(message["params"]["request"]["url"])
        return message

    def open(self, address):
        """Go to an address, and wait until it is loaded."""
        self.call("Page.navigate", url=address)
        self.wait("location.href != 'about:blank' && document.readyState == 'complete'")

    def run(self, program):
        """What a piece of JavaScript comes to, as plain values; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=program, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition):
        """Wait until a piece of JavaScript is true."""
        end = time.monotonic() + PATIENCE
        while not self.run(condition):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.02)

    def choose(self, selector, *files):
        """Choose files in an input, as a person does."""
        node = self.call("DOM.querySelector", nodeId=self.call("DOM.getDocument")["root"]["nodeId"], selector=selector)
        self.call("DOM.setFileInputFiles", files=[str(Path(file).resolve()) for file in files], nodeId=node["nodeId"])

    def place(self, selector):
        """Left, top, width and height of an element in the window."""
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        return self.run(f"(() => {{ const b = {box}; return [b.x, b.y, b.width, b.height]; }})()")

    def point(self, x, y):
        """Move the mouse."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector):
        """Click on the middle of an element."""
        left, top, width, height = self.place(selector)
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": left + width / 2, "y": top + height / 2}
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)

    def theme(self, name):
        """Have the page be light or dark."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path, whole=True):
        """A picture of the page, a PNG."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(taken["data"]))
