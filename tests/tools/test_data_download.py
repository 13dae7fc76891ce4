"""Downloads against a server that breaks off, changes its mind or lies."""

import errno
import hashlib
import shutil
from collections import namedtuple

import pytest

from fcn_caffe.datasets import download as module
from fcn_caffe.datasets.download import WebFile, download
from tests.tools.web import serving

CONTENT = bytes(range(256)) * 9000
SHA1 = "sha1:" + hashlib.sha1(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0)
    with serving() as site:
        site.files["/x.tar"] = CONTENT
        yield site


def web_file(site, checksum=SHA1, **more):
    return WebFile("x.tar", (f"{site.address}/x.tar",), checksum, **more)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_and_is_not_fetched_twice(site, tmp_path):
    path = download(web_file(site), tmp_path / "new")
    assert path.read_bytes() == CONTENT
    assert download(web_file(site), tmp_path / "new") == path
    assert site.requests == [("/x.tar", None)]
    assert names(tmp_path / "new") == ["x.tar"]


def test_a_connection_that_breaks_is_gone_on_with(site, tmp_path):
    site.most = 600_000
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in site.requests] == [None, "bytes=600000-", "bytes=1200000-", "bytes=1800000-"]


def test_what_arrived_is_kept_for_the_next_run(site, tmp_path):
    site.most = 100_000
    with pytest.raises(OSError, match=r"the connection ended early\n  Run it again to go on"):
        download(web_file(site), tmp_path)
    assert (tmp_path / "x.tar.part").stat().st_size == 500_000
    site.most, site.requests = None, []
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT
    assert site.requests == [("/x.tar", "bytes=500000-")]
    assert names(tmp_path) == ["x.tar"]


def test_a_server_without_ranges_begins_again(site, tmp_path):
    (tmp_path / "x.tar.part").write_bytes(CONTENT[:1000])
    site.ranges = False
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_glued_to_the_old_one(site, tmp_path):
    (tmp_path / "x.tar.part").write_bytes(b"old" * 1000)
    (tmp_path / "x.tar.part.version").write_text('"0"')
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT
    assert site.requests == [("/x.tar", "bytes=3000-")]


def test_a_part_that_was_complete_needs_nothing_more(site, tmp_path):
    (tmp_path / "x.tar.part").write_bytes(CONTENT)
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_begun_again(site, tmp_path):
    (tmp_path / "x.tar.part").write_bytes(CONTENT + b"more")
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT


def test_a_server_that_does_not_tell_the_length(site, tmp_path):
    site.length = False
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(site, tmp_path):
    with pytest.raises(OSError, match=f"the file has sha1 {SHA1[5:]}, expected 0000. It is deleted"):
        download(web_file(site, "sha1:0000"), tmp_path)
    assert names(tmp_path) == []


def test_a_file_that_was_put_there_is_checked_and_never_deleted(site, tmp_path):
    (tmp_path / "x.tar").write_bytes(b"something else")
    with pytest.raises(ValueError, match="Delete it to fetch it again"):
        download(web_file(site), tmp_path)
    assert names(tmp_path) == ["x.tar"]
    assert site.requests == []


def test_without_a_stated_checksum_the_first_download_counts(site, tmp_path, capsys):
    path = download(web_file(site, ""), tmp_path)
    assert f"nobody states a checksum; SHA-256 {SHA256}" in capsys.readouterr().err
    assert (tmp_path / "x.tar.sha256").read_text() == f"{SHA256}  x.tar\n"
    path.unlink()
    site.files["/x.tar"] = CONTENT[::-1]
    with pytest.raises(OSError, match=f"expected {SHA256}"):
        download(web_file(site, ""), tmp_path)
    assert names(tmp_path) == ["x.tar.sha256"]


def test_the_next_address_is_tried(site, tmp_path):
    file = WebFile("x.tar", (f"{site.address}/gone", "http://127.0.0.1:9/x.tar", f"{site.address}/x.tar"), SHA1)
    assert download(file, tmp_path).read_bytes() == CONTENT


def test_a_server_that_is_busy_is_asked_again(site, tmp_path):
    site.statuses = [503, 500]
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("settings", "more", "words"),
    [
        ({"files": {}}, {}, "HTTP Error 404"),
        ({"kind": "text/html"}, {}, "the server gives a web page, not the file"),
        ({}, {"size": 17}, "the server's file has 2304000 bytes, expected 17"),
    ],
)
def test_what_is_not_the_file_is_refused(site, tmp_path, settings, more, words):
    for name, value in settings.items():
        setattr(site, name, value)
    with pytest.raises(OSError, match=words):
        download(web_file(site, **more), tmp_path)
    assert len(site.requests) == 1
    assert names(tmp_path) == []


def test_other_addresses_than_the_webs_are_refused(tmp_path):
    with pytest.raises(OSError, match="not an http or https address"):
        download(WebFile("x", ("file:///etc/hostname",)), tmp_path)


def test_a_disk_without_room_is_noticed_before_the_download(site, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 1 << 20))
    with pytest.raises(OSError, match=r"1 MB are left on the disk, expected 2 for x\.tar") as error:
        download(web_file(site), tmp_path)
    assert error.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_a_disk_that_fills_up_ends_it_and_keeps_what_came(site, tmp_path, monkeypatch):
    real = open

    class Full:
        def __init__(self, *arguments):
            self.file, self.written = real(*arguments), 0

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, block):
            if self.written:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.written += self.file.write(block)

    monkeypatch.setattr(module, "open", Full, raising=False)
    with pytest.raises(OSError, match="No space left on device"):
        download(web_file(site), tmp_path)
    assert len(site.requests) == 1
    monkeypatch.undo()
    assert download(web_file(site), tmp_path).read_bytes() == CONTENT
    assert site.requests[1] == ("/x.tar", f"bytes={1 << 20}-")
