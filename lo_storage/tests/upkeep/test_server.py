import shutil

import pytest
from django.db import connection

from lo_storage.upkeep import server
from lo_storage.upkeep.server import check_server


def found():
    findings = list(check_server("default"))
    assert {(one.level, one.kind, one.where) for one in findings} <= {
        ("warning", "server", "the server")
    }
    return [one.what for one in findings]


def test_more_files_than_locks(transactional_db, save, monkeypatch):
    save(), save()
    few = server.MORE_FILES_THAN_LOCKS.replace(
        "current_setting('max_locks_per_transaction')", "'0'"
    )
    assert few != server.MORE_FILES_THAN_LOCKS
    assert not any("than locks" in what for what in found())
    monkeypatch.setattr(server, "MORE_FILES_THAN_LOCKS", few)
    assert "there are more files than locks: one transaction can delete about 0" in found()


@pytest.mark.parametrize("compression", ["pglz", "lz4"])
def test_how_pages_are_compressed(transactional_db, compression):
    with connection.cursor() as cursor:
        cursor.execute("select enumvals from pg_settings where name = 'default_toast_compression'")
        (choices,) = cursor.fetchone()
        if compression in choices:
            cursor.execute(f"set default_toast_compression = {compression}")
        warned = any("default_toast_compression is pglz" in what for what in found())
        cursor.execute("reset default_toast_compression")
    assert warned == (compression == "pglz" and "lz4" in choices)


def test_a_table_that_is_nearly_full(transactional_db, monkeypatch):
    monkeypatch.setattr(server, "MANY_BYTES", -1)
    monkeypatch.setattr(server, "MANY_OBJECTS", -1)
    whats = found()
    assert any("numbers for them" in what for what in whats)
    assert any("pg_largeobject has" in what for what in whats)


def test_a_disk_that_is_nearly_full(transactional_db, monkeypatch, tmp_path):
    class Info:
        host = "/tmp"

    class Psycopg:
        info = Info

    class Django:
        connection = Psycopg

    def warned(folder):
        return [one.what for one in server._check_disk(Django, folder)]

    assert warned(str(tmp_path / "not here")) == []
    assert warned(None) == []
    monkeypatch.setattr(server, "LITTLE_SPACE", 1.0)
    disk = shutil.disk_usage(tmp_path)
    (what,) = warned(str(tmp_path))
    assert what.startswith(f"the disk of {tmp_path} has ")
    assert what.endswith(f"free, of {disk.total:,}")
    Info.host = "db.example.com"  # another machine's disk has nothing to do with ours
    assert warned(str(tmp_path)) == []
