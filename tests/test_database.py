"""LMDB and LevelDB: what comes out, in which order, and what is said of a database that cannot be read."""

import gc
import shutil
import sys
import zipfile

import lmdb
import pytest

from caffe.data.database import Database, LmdbWriter
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
    lmdb.open(str(path)).close()


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
    with pytest.raises(DataError, match=r"pip install cramjam"):
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
    with pytest.raises(DataError, match=r"LMDB '.*db' cannot be read: .*Make it again"):
        list(Database(path, "lmdb"))


def test_a_database_is_not_written_over(tmp_path):
    path = written(tmp_path / "db")
    with pytest.raises(DataError, match=r"mkdir .*db failed: File exists. Remove it"):
        LmdbWriter(path)
