"""LMDB and LevelDB: what comes out, in which order, and what is said of a database that cannot be read."""

import gc
import random
import shutil
import sys
import zipfile

import lmdb
import pytest

from caffe.data import leveldb, leveldb_writer
from caffe.data.database import Database, LmdbWriter, new_database
from caffe.errors import DataError
from tests.parity.databases import RECORDED, expected

PAIRS = [(b"a", b"1"), (b"b", b"2" * 5000), (b"c", b"")]


@pytest.fixture
def leveldbs(tmp_path):
    """LevelDBs of real Caffe: `log`, all entries in a log file; `table`, all in a table compressed by Snappy."""
    with zipfile.ZipFile(RECORDED) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def written(path, pairs=PAIRS):
    with LmdbWriter(path) as writer:
        for key, value in pairs:
            writer.put(key, value)
    return path


def test_an_lmdb_is_read_in_the_order_of_its_keys_again_and_again(tmp_path):
    database = Database(written(tmp_path / "db", reversed(PAIRS)), "lmdb")
    assert list(database) == PAIRS
    assert list(database) == PAIRS


def test_the_map_grows_with_the_data(tmp_path):
    pairs = [(f"{n:04d}".encode(), bytes([n % 256]) * 20_000) for n in range(1100)]
    assert list(Database(written(tmp_path / "db", pairs), "lmdb")) == pairs


def test_nothing_is_written_after_an_error(tmp_path):
    writer = LmdbWriter(tmp_path / "db")
    writer.put(b"a", b"1")
    writer.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert list(Database(tmp_path / "db", "lmdb")) == []


def test_one_lmdb_can_be_open_twice(tmp_path):
    path = written(tmp_path / "db")
    first, second = iter(Database(path, "lmdb")), iter(Database(path, "lmdb"))
    assert [next(first), next(second), next(first)] == [PAIRS[0], PAIRS[0], PAIRS[1]]


def test_a_database_made_anew_at_the_same_place_is_the_new_one(tmp_path):
    old = Database(written(tmp_path / "db"), "lmdb")
    shutil.rmtree(tmp_path / "db")
    new = Database(written(tmp_path / "db", [(b"z", b"9")]), "lmdb")
    assert list(new) == [(b"z", b"9")]
    assert list(old) == PAIRS


def test_an_lmdb_is_closed_when_nobody_reads_it(tmp_path):
    path = written(tmp_path / "db")
    database = Database(path, "lmdb")
    next(iter(database))
    del database
    gc.collect()
    with lmdb.open(str(path)) as again, again.begin() as read:  # lmdb refuses to open what the process has open
        assert list(read.cursor()) == PAIRS


def test_an_lmdb_in_a_single_file_is_read(tmp_path):
    path = written(tmp_path / "db") / "data.mdb"
    assert list(Database(path, "lmdb")) == PAIRS


@pytest.mark.parametrize("form", ["log", "table"])
def test_a_leveldb_of_real_caffe_is_read(leveldbs, form):
    assert list(Database(leveldbs / form, "leveldb")) == expected()


def test_a_leveldb_whose_end_was_not_written_has_the_entries_before(leveldbs):
    log = leveldbs / "log" / "000003.log"
    log.write_bytes(log.read_bytes()[:-10])
    assert list(Database(leveldbs / "log", "leveldb")) == []  # convert_imageset writes one batch
    manifest = leveldbs / "log" / "MANIFEST-000002"
    manifest.write_bytes(manifest.read_bytes() + b"\0\0\0\0\0")
    assert list(Database(leveldbs / "log", "leveldb")) == []


def record(content: bytes) -> bytes:
    """A log record; checksums are not looked at."""
    return b"\0\0\0\0" + len(content).to_bytes(2, "little") + b"\1" + content


def batch(sequence: int, *entries: tuple[bytes, bytes | None]) -> bytes:
    content = sequence.to_bytes(8, "little") + len(entries).to_bytes(4, "little")
    for key, value in entries:
        content += bytes([value is not None, len(key)]) + key
        content += b"" if value is None else bytes([len(value)]) + value
    return record(content)


def test_the_newest_entry_counts_and_a_deleted_one_is_gone(leveldbs):
    log = leveldbs / "table" / "000006.log"
    log.write_bytes(batch(1000, (b"00000001_1.png", b"new"), (b"x", b"1")) + batch(1002, (b"x", None), (b"w", b"2")))
    found = dict(Database(leveldbs / "table", "leveldb"))
    assert list(found) == [*(key for key, _ in expected()), b"w"]
    assert found[b"00000001_1.png"] == b"new"


def test_log_files_from_before_the_tables_do_not_count(leveldbs):
    (leveldbs / "table" / "000003.log").write_bytes(batch(1, (b"old", b"1")))
    assert b"old" not in dict(Database(leveldbs / "table", "leveldb"))


@pytest.mark.parametrize("damage", [b"", b"\0" * 60, None])
def test_a_damaged_leveldb_is_an_error(leveldbs, damage):
    table = leveldbs / "table" / "000005.ldb"
    content = table.read_bytes()
    table.write_bytes(content[500:] if damage is None else damage)
    with pytest.raises(DataError, match=r"LevelDB '.*table' cannot be read: .*Copy it again"):
        list(Database(leveldbs / "table", "leveldb"))


def test_a_missing_table_is_an_error(leveldbs):
    (leveldbs / "table" / "000005.ldb").unlink()
    with pytest.raises(DataError, match=r"the table 000005.ldb is missing"):
        list(Database(leveldbs / "table", "leveldb"))


def test_without_cramjam_it_is_said_what_to_install(leveldbs, monkeypatch):
    monkeypatch.setitem(sys.modules, "cramjam", None)
    with pytest.raises(DataError, match=r"needs the package cramjam: pip install 'fcn-caffe\[leveldb\]'"):
        list(Database(leveldbs / "table", "leveldb"))


def test_a_wrong_backend_is_named(tmp_path, leveldbs):
    with pytest.raises(DataError, match=r"is of the kind LMDB, opened as LEVELDB .*`backend: LMDB`"):
        Database(written(tmp_path / "db"), "leveldb")
    with pytest.raises(DataError, match=r"is of the kind LEVELDB, opened as LMDB .*`backend: LEVELDB`"):
        Database(leveldbs / "log", "lmdb")
    with pytest.raises(DataError, match=r"Unknown database backend 'rocksdb'. Use one of lmdb, leveldb"):
        Database(tmp_path / "db", "rocksdb")


def test_a_missing_database_is_named(tmp_path):
    with pytest.raises(DataError, match=r"database '.*none' does not exist .*convert_imageset"):
        Database(tmp_path / "none", "lmdb")
    with pytest.raises(DataError, match=r"neither data.mdb \(LMDB\) nor CURRENT"):
        Database(tmp_path, "lmdb")


def test_a_damaged_lmdb_is_an_error(tmp_path):
    path = written(tmp_path / "db")
    (path / "data.mdb").write_bytes(b"nothing of the kind" * 1000)
    with pytest.raises(DataError, match=r"LMDB '.*db' cannot be read: .*make it again"):
        list(Database(path, "lmdb"))


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_an_lmdb_that_was_cut_off_is_an_error(tmp_path, part):
    path = written(tmp_path / "db", [(f"{n:04d}".encode(), bytes(n)) for n in range(2000)])
    whole = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DataError, match=r"LMDB '.*db' cannot be read: it has [\d,]+ bytes.*cut off"):
        Database(path, "lmdb")


def test_an_lmdb_with_any_byte_changed_is_read_or_is_an_error(tmp_path):
    path = written(tmp_path / "db", [(f"{n:04d}".encode(), bytes(n % 40 * 110)) for n in range(200)])
    whole, draw = (path / "data.mdb").read_bytes(), random.Random(1)
    refused = []
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(4):
            page = draw.randrange(len(whole) // 4096) * 4096
            damaged[page + draw.choice([draw.randrange(8, 152), draw.randrange(4096)])] = draw.randrange(256)
        (path / "data.mdb").write_bytes(damaged)
        try:
            list(Database(path, "lmdb"))
        except DataError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert all(str(path) in words for words in refused)


def test_an_lmdb_whose_branches_lead_in_a_circle_is_an_error(tmp_path):
    path = written(tmp_path / "db", [(f"{n:04d}".encode(), bytes(50)) for n in range(900)])
    content = bytearray((path / "data.mdb").read_bytes())
    pages = range(2 * 4096, len(content), 4096)
    branch = next(page for page in pages if content[page + 10] == 1)
    first = branch + int.from_bytes(content[branch + 16 : branch + 18], "little")
    content[first : first + 4] = (branch // 4096).to_bytes(4, "little")
    (path / "data.mdb").write_bytes(content)
    with pytest.raises(DataError, match="a branch leads to page"):
        list(Database(path, "lmdb"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("CURRENT", b"/etc/passwd\n", "CURRENT names '/etc/passwd', expected a manifest"),
        ("MANIFEST-000002", b"\0\0\0\0\xff\x7f\x01" + b"\xff" * 0x7FFF, "a number of more than 10 bytes"),
    ],
)
def test_a_leveldb_that_leads_astray_is_an_error(leveldbs, name, content, words):
    folder = leveldbs / "log"
    file = folder / ((folder / "CURRENT").read_text().strip() if name != "CURRENT" else name)
    file.write_bytes(content)
    with pytest.raises(DataError, match=words):
        list(Database(folder, "leveldb"))


def test_a_leveldbs_block_that_claims_4_gib_is_an_error():
    with pytest.raises(ValueError, match="is said to unpack to 4,294,967,295"):
        leveldb._uncompressed(memoryview(b"\xff\xff\xff\xff\x0f" + bytes(100)))


def test_a_path_with_a_nul_byte_is_named():
    with pytest.raises(DataError, match=r"database 'a\\x00b' does not exist"):
        Database("a\0b", "lmdb")


@pytest.mark.parametrize(
    ("backend", "words"),
    [("lmdb", r"mkdir .*db failed: File exists. Remove it"), ("leveldb", r"leveldb .*db: File exists. Remove it")],
)
def test_a_database_is_not_written_over(tmp_path, backend, words):
    path = written(tmp_path / "db")
    with pytest.raises(DataError, match=words):
        new_database(path, backend)


def test_an_unknown_backend_is_not_written(tmp_path):
    with pytest.raises(DataError, match=r"Unknown database backend 'rocksdb'"):
        new_database(tmp_path / "db", "rocksdb")


def new_leveldb(path, pairs):
    pytest.importorskip("plyvel", reason="has no wheel for this Python")
    with new_database(path, "leveldb") as writer:
        for key, value in pairs:
            writer.put(key, value)
    return list(Database(path, "leveldb"))


@pytest.mark.parametrize("size", [0, 100, 70_000])
def test_a_leveldb_that_is_written_holds_what_was_put(tmp_path, size):
    pairs = [(f"{n:08d}_{n}.png".encode(), bytes([n % 256]) * size) for n in range(40)]
    assert new_leveldb(tmp_path / "db", pairs) == pairs


def test_an_empty_leveldb_is_written(tmp_path):
    assert new_leveldb(tmp_path / "db", []) == []


@pytest.fixture
def small_tables(monkeypatch):
    """A table for every few entries, many times over."""
    monkeypatch.setattr(leveldb_writer, "_BUFFER_SIZE", 1 << 16)
    monkeypatch.setattr(leveldb_writer, "_BATCH_SIZE", 1 << 10)


@pytest.mark.usefixtures("small_tables")
@pytest.mark.parametrize("shuffled", [False, True])
def test_many_tables_of_a_leveldb_are_one_database(tmp_path, shuffled):
    pairs = [(f"{n:0100d}".encode(), b"%d" % n * 300) for n in range(900)]
    order = random.Random(1).sample(pairs, len(pairs)) if shuffled else pairs
    assert new_leveldb(tmp_path / "db", order) == pairs
    assert list((tmp_path / "db").glob("*.ldb"))


@pytest.mark.usefixtures("small_tables")
def test_the_newest_entry_of_a_key_counts(tmp_path):
    pairs = [(b"a", b"1" * 2000), (b"b", b"2" * 2000), (b"a", b"3" * 2000), (b"c", b"4" * 2000), (b"b", b"5")]
    assert new_leveldb(tmp_path / "db", pairs) == [(b"a", b"3" * 2000), (b"b", b"5"), (b"c", b"4" * 2000)]


def test_there_is_no_leveldb_after_an_error_or_before_the_end(tmp_path):
    pytest.importorskip("plyvel", reason="has no wheel for this Python")
    writer = new_database(tmp_path / "db", "leveldb")
    writer.put(b"a", b"1")
    assert not (tmp_path / "db").exists()
    writer.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert not list(tmp_path.iterdir())


def test_without_plyvel_a_leveldb_to_write_is_refused_with_the_extra_that_has_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plyvel", None)
    with pytest.raises(DataError, match=r"needs the package plyvel: pip install 'fcn-caffe\[leveldb\]'.*lmdb"):
        new_database(tmp_path / "db", "leveldb")
    assert not list(tmp_path.iterdir())


def test_a_leveldb_that_cannot_be_written_is_named(tmp_path):
    pytest.importorskip("plyvel", reason="has no wheel for this Python")
    with pytest.raises(DataError, match=r"leveldb .*db: No such file or directory"):
        new_database(tmp_path / "none" / "db", "leveldb")
