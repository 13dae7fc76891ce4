"""Archives that want to write elsewhere, swell or end early; and those that are well."""

import io
import tarfile
import zipfile

import pytest

from fcn_caffe.datasets.unpack import unpack

FILES = {"set/a.txt": b"one", "set/deep/b.bin": bytes(1000)}


def tar(path, files, mode="w:gz", links=()):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, kind, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return path


def zip_(path, files, links=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for name, target in links:
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o120777 << 16
            archive.writestr(member, target)
    return path


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_every_kind_of_archive_comes_out_as_it_went_in(tmp_path, mode):
    make = zip_ if mode == "zip" else lambda path, files: tar(path, files, mode)
    assert unpack(make(tmp_path / "x", FILES), tmp_path / "out") == []
    assert contents(tmp_path / "out") == FILES


@pytest.mark.parametrize(
    "name",
    ["../evil", "/tmp/evil", "set/../../evil", "set\\..\\evil", "C:evil", "set/a\nb", "..", "set/.."],
)
@pytest.mark.parametrize("make", [tar, zip_])
def test_a_name_that_leads_elsewhere_condemns_the_archive(tmp_path, make, name):
    archive = make(tmp_path / "x", {"good": b"1", name: b"evil"})
    with pytest.raises(ValueError, match="has a member .* expected names of files below one folder"):
        unpack(archive, tmp_path / "inner/out")
    assert not list(tmp_path.rglob("*evil*"))


def test_links_and_devices_are_left_out_and_nothing_goes_through_them(tmp_path):
    (tmp_path / "outside").mkdir()
    links = [
        ("set/link", tarfile.SYMTYPE, str(tmp_path / "outside")),
        ("set/hard", tarfile.LNKTYPE, "set/a.txt"),
        ("set/pipe", tarfile.FIFOTYPE, ""),
        ("set/disk", tarfile.BLKTYPE, ""),
    ]
    archive = tar(tmp_path / "x.tar", FILES, "w", links)
    with tarfile.open(archive, "a") as more:
        member = tarfile.TarInfo("set/link/evil")
        member.size = 4
        more.addfile(member, io.BytesIO(b"evil"))
    assert unpack(archive, tmp_path / "out") == ["set/link", "set/hard", "set/pipe", "set/disk"]
    assert contents(tmp_path / "out") == {**FILES, "set/link/evil": b"evil"}
    assert contents(tmp_path / "outside") == {}


def test_a_link_in_a_zip_archive_is_left_out(tmp_path):
    archive = zip_(tmp_path / "x", FILES, [("set/link", "/etc")])
    assert unpack(archive, tmp_path / "out") == ["set/link"]
    assert contents(tmp_path / "out") == FILES


@pytest.mark.parametrize("make", [tar, zip_])
@pytest.mark.parametrize("name", ["set", "set/deep", "set/a.txt"])
def test_nothing_goes_through_a_link_that_lies_in_the_folder_already(tmp_path, make, name):
    outside, link = tmp_path / "outside", tmp_path / "out" / name
    outside.mkdir()
    (outside / "mine").write_bytes(b"mine")
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "mine" if name.endswith(".txt") else outside)
    with pytest.raises(ValueError, match=f"'{link}' is a link, .* Remove the link"):
        unpack(make(tmp_path / "x", FILES), tmp_path / "out")
    assert contents(outside) == {"mine": b"mine"}


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    assert unpack(tar(tmp_path / "x", FILES), tmp_path / "out") == []
    assert contents(tmp_path / "disk") == FILES


@pytest.mark.parametrize("make", [tar, zip_])
@pytest.mark.parametrize("name", ["x" * 300, ".", "set/a.txt/b"])
def test_what_cannot_be_written_is_named_with_its_archive(tmp_path, make, name):
    with pytest.raises(ValueError, match=f"of '{tmp_path}/archive', cannot be written: "):
        unpack(make(tmp_path / "archive", {**FILES, name: b"1"}), tmp_path / "out")


@pytest.mark.parametrize("headers", [{"path": "../out"}, {"GNU.sparse.map": "0,x"}, {"GNU.sparse.size": "../out"}])
def test_a_tar_archive_whose_headers_say_nonsense_is_refused(tmp_path, headers):
    member = tarfile.TarInfo("set/a.txt")
    member.pax_headers = headers
    with tarfile.open(tmp_path / "x", "w") as archive:
        archive.addfile(member)
    with pytest.raises(ValueError, match=str(tmp_path / "x")):
        unpack(tmp_path / "x", tmp_path / "out")


def test_permissions_are_not_taken_over(tmp_path):
    member = tarfile.TarInfo("run")
    member.mode, member.size = 0o6777, 1
    with tarfile.open(tmp_path / "x", "w") as archive:
        archive.addfile(member, io.BytesIO(b"1"))
    unpack(tmp_path / "x", tmp_path / "out")
    assert (tmp_path / "out/run").stat().st_mode & 0o6111 == 0


@pytest.mark.parametrize("make", [tar, zip_])
@pytest.mark.parametrize("limits", [{"most_bytes": 1002}, {"most_files": 1}])
def test_an_archive_that_swells_is_stopped(tmp_path, make, limits):
    with pytest.raises(ValueError, match="holds more than .* expected less"):
        unpack(make(tmp_path / "x", FILES), tmp_path / "out", **limits)
    assert unpack(tmp_path / "x", tmp_path / "again", most_bytes=1003, most_files=2) == []


@pytest.mark.parametrize("cut", [10, 300, -40])
@pytest.mark.parametrize("make", [tar, zip_, lambda path, files: tar(path, files, "w")])
def test_an_archive_that_ends_early_is_refused(tmp_path, make, cut):
    archive = make(tmp_path / "x", {"a": bytes(range(256)) * 100, **FILES})
    archive.write_bytes(archive.read_bytes()[: cut if cut > 0 else -20_000 if archive.stat().st_size > 20_000 else cut])
    with pytest.raises(ValueError, match="is not a whole tar or zip archive"):
        unpack(archive, tmp_path / "out")


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "x").write_text("<html>moved</html>")
    with pytest.raises(ValueError, match="is not a whole tar or zip archive"):
        unpack(tmp_path / "x", tmp_path / "out")
