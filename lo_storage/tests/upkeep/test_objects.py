from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.upkeep import objects
from lo_storage.upkeep.objects import broken, check_files, parts


def test_parts_are_all_of_the_catalogue(installed_documents, save, monkeypatch):
    monkeypatch.setattr(objects, "FILES", 2)
    assert parts("default") == []
    names = [save() for _ in range(5)]
    found = parts("default")
    assert [part.files for part in found] == [2, 2, 1]
    assert [part.after for part in found] == [0, *(part.last for part in found[:-1])]
    # Each is looked at, whichever part it is in.
    LargeObject.objects.update(size=1)
    told = []
    findings = list(check_files("default", found, 1, told.append))
    assert [finding.name for finding in findings] == names
    assert told == [2, 2, 1]
    LargeObject.objects.update(size=len(b"content"))  # With their objects they go.


def test_many_descriptors_are_never_open_at_once(installed_documents, monkeypatch):
    """PostgreSQL looks for a free one in a list: with thousands each would take ever longer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into lo_storage_largeobject"
            "       (loid, name, original_name, size, version, created_at, modified_at)"
            " select loid, loid || '.txt', '', 1, 1, now(), now()"
            "   from (select lo_from_bytea(0, 'a') from generate_series(1, 300)) as made (loid)"
        )
    (part,) = parts("default")
    assert list(check_files("default", [part], 1, lambda files: None)) == []
    # The number of a descriptor is the lowest that is free.
    (opened,) = (line for line in objects.FILES_OF_PART.splitlines() if "lo_open" in line)
    assert "as fd" in opened
    query = objects.FILES_OF_PART.replace("measured <> size", "fd > 0")
    with connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(query, part._asdict())
        assert cursor.fetchall() == []
        cursor.execute("rollback")


def test_what_is_broken_is_told_with_its_name():
    finding = broken("16418.pdf", "content", "invalid page in block 1")
    assert str(finding) == (
        "error: 16418.pdf: its content cannot be read: invalid page in block 1. Bring it back from"
        " a backup by manage.py lo_restore 16418.pdf, and look after the disk"
    )
