"""The worker thread loads ahead, and goes away with its feed and with the interpreter."""

import gc
import itertools
import subprocess
import sys
import threading
import time
from pathlib import Path

from fcn_caffe.data_layers.segdata.feed import Feed
from tests.patience import PATIENCE


def workers() -> int:
    return sum(thread.name.startswith("segdata") for thread in threading.enumerate())


def none_but_ours() -> None:
    """Waits for the threads of other tests' feeds to end."""
    deadline = time.monotonic() + PATIENCE
    while workers() and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.001)
    assert not workers()


def test_items_are_loaded_while_the_current_one_is_used() -> None:
    loaded: list[int] = []
    feed = Feed(lambda i: loaded.append(i) or i, itertools.count(), ahead=2)
    assert (feed.current(), loaded) == (0, [0])
    feed.advance()
    assert feed.current() == 1
    deadline = time.monotonic() + PATIENCE
    while len(loaded) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert loaded == [0, 1, 2]


def test_no_thread_without_prefetch() -> None:
    none_but_ours()
    feed = Feed(lambda i: i, itertools.count(), ahead=0)
    feed.advance()
    assert feed.current() == 1
    assert not workers()


def test_thread_ends_with_the_feed() -> None:
    none_but_ours()
    feed = Feed(lambda i: i, itertools.count(), ahead=2)
    feed.advance()
    assert workers() == 1
    del feed
    none_but_ours()


def test_thread_does_not_hold_up_the_exit() -> None:
    script = (
        "import itertools; from fcn_caffe.data_layers.segdata.feed import Feed; "
        "feed = Feed(lambda i: i, itertools.count(), 2); feed.advance(); print(feed.current())"
    )
    folder = Path(__file__).resolve().parents[2] / "data_layers"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)
