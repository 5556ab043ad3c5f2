"""Other columns of a row as the source: bytes, large objects, files of another field."""

from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.transfer import sources, storing

from ..commands import run
from .steps import COLUMN, content_of, lo_import


def test_bytes_of_a_column_come_in_under_the_name_that_another_has(letters, monkeypatch):
    monkeypatch.setattr(sources, "SLICE", 300_000)
    contents = [b"", b"small", bytes(range(256)) * 4096]
    made = [letters.objects.create(title="a letter.pdf", content=data) for data in contents]
    letters.objects.create(content=None)
    printed = lo_import(from_field="content", name_field="title")
    assert printed == "Moved: 3. Not moved: 0.\n"
    assert [content_of(row) for row in made] == contents
    entry = LargeObject.objects.get(name=made[0].data.name)
    assert (entry.original_name, entry.name[-4:]) == ("a letter.pdf", ".pdf")
    assert [bytes(row.content) for row in made] == contents
    assert lo_import(from_field="content") == "Moved: 0. Not moved: 0.\n"
    letters.objects.update(data=None)
    LargeObject.objects.all().delete()
    assert lo_import(from_field="content", delete_source=True) == "Moved: 3. Not moved: 0.\n"
    assert [content_of(row) for row in made] == contents
    assert [row.content for row in made] == [None, None, None]


def test_large_objects_are_copied_and_go_if_it_is_asked_for(objects, large_objects):
    first, second = objects(b"first", bytes(1_000_000))
    before, numbers = large_objects(), {first.number, second.number}
    assert lo_import(from_field="number", name_field="title") == "Moved: 2. Not moved: 0.\n"
    assert (content_of(first), content_of(second)) == (b"first", bytes(1_000_000))
    assert len(large_objects() - before) == 2
    assert before <= large_objects()
    type(first).objects.update(data=None)
    LargeObject.objects.all().delete()
    assert lo_import(from_field="number", delete_source=True) == "Moved: 2. Not moved: 0.\n"
    assert content_of(first) == b"first"
    assert (first.number, numbers & large_objects()) == (None, set())


@pytest.mark.parametrize("size", [10, 600_000])
def test_a_large_object_goes_with_the_last_row_that_has_it(objects, large_objects, size):
    (first,) = objects(bytes(size))
    number = first.number
    second = type(first).objects.create(number=number)
    assert lo_import(from_field="number", delete_source=True) == "Moved: 2. Not moved: 0.\n"
    assert (content_of(first), content_of(second)) == (bytes(size), bytes(size))
    assert number not in large_objects()


def test_a_large_object_that_another_column_has_is_kept_and_told(
    objects, large_objects, another_table
):
    theirs, nobodys = objects(b"theirs", b"nobody's")
    numbers = theirs.number, nobodys.number
    another_table(theirs.number)
    printed = StringIO()
    with pytest.raises(CommandError, match=r"^Moved: 2\. Not moved: 1\.$"):
        call_command("lo_import", COLUMN, from_field="number", delete_source=True, stdout=printed)
    assert f"large object {numbers[0]} was copied, and is kept: a column" in printed.getvalue()
    assert (content_of(theirs), content_of(nobodys)) == (b"theirs", b"nobody's")
    assert set(numbers) & large_objects() == {numbers[0]}


def test_a_large_object_that_is_a_file_of_the_library_is_kept_and_told(objects, large_objects):
    (first,) = objects(b"content")
    assert lo_import(from_field="number", adopt=True) == "Moved: 1. Not moved: 0.\n"
    second = type(first).objects.create(number=first.number)
    type(first).objects.filter(pk=first.pk).update(number=None)
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
        lo_import(from_field="number", delete_source=True)
    assert (content_of(first), content_of(second)) == (b"content", b"content")


@pytest.mark.parametrize("size", [10, 600_000])
def test_a_large_object_that_is_written_to_meanwhile_is_not_moved(
    objects, other_session, monkeypatch, size
):
    (row,) = objects(bytes(size))
    put = {10: "put_small", 600_000: "put_large"}[size]
    real = getattr(storing, put)

    def then_write(*args):
        stored = real(*args)
        other_session.execute("select lo_put(%s, 0, 'NEW')", [row.number])
        return stored

    monkeypatch.setattr(storing, put, then_write)
    with pytest.raises(CommandError, match=r"^Moved: 0\. Not moved: 1\.$"):
        lo_import(from_field="number", delete_source=True)
    row.refresh_from_db()
    assert row.data.name is None
    monkeypatch.undo()
    assert lo_import(from_field="number", delete_source=True) == "Moved: 1. Not moved: 0.\n"
    assert content_of(row) == b"NEW" + bytes(size - 3)


@pytest.mark.parametrize("option", ["adopt", "delete_source"])
def test_nothing_begins_where_the_table_s_own_trigger_would_delete(objects, option):
    objects(b"first")
    with connection.cursor() as c:
        # As contrib/lo has it, which is in C.
        c.execute(
            "create function lo_manage() returns trigger language plpgsql"
            " as $$ begin return new; end $$"
        )
        c.execute(
            "create trigger t_number before update or delete on lo_storage_tests_letter"
            " for each row execute function lo_manage()"
        )
    try:
        with pytest.raises(CommandError, match="drop trigger t_number on") as raised:
            lo_import(from_field="number", **{option: True})
    finally:
        with connection.cursor() as c:
            c.execute("drop function lo_manage cascade")
    assert raised.value.returncode == 2


def test_a_domain_over_oid_is_one(letters):
    with connection.cursor() as c:
        c.execute("create domain lo as oid")
        c.execute("alter table lo_storage_tests_letter alter number type lo")
    try:
        column = sources.Column(letters, letters._meta.get_field("number"), "default")
        assert isinstance(sources.source_of(column), sources.Objects)
    finally:
        with connection.cursor() as c:
            c.execute("drop domain lo cascade")
            c.execute("alter table lo_storage_tests_letter add number oid")


def test_the_files_of_another_field_come_in_and_go_out_again(letters, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    made = letters.objects.create(scan=ContentFile(b"content", "a_letter.pdf"))
    printed = lo_import(from_field="scan", delete_source=True)
    assert printed == "Moved: 1. Not moved: 0.\n"
    assert content_of(made) == b"content"
    assert (made.scan.name, list(tmp_path.iterdir())) == ("", [])
    printed = run(
        "lo_export",
        column="lo_storage_tests.Letter.scan",
        from_field="data",
        to=str(tmp_path),
        delete_source=True,
    )
    assert printed == "Moved: 1. Not moved: 0.\n"
    made.refresh_from_db()
    assert (made.scan.name, made.data.name) == ("a_letter.pdf", None)
    assert (tmp_path / "a_letter.pdf").read_bytes() == b"content"
    assert LargeObject.objects.count() == 0


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("nonsense", "names no field of an installed model"),
        ("lo_storage_tests.Nothing.data", "names no field of an installed model"),
        ("lo_storage_tests.Letter.nothing", "has no field 'nothing'"),
        ("lo_storage_tests.Letter.title", "is no FileField"),
    ],
)
def test_a_column_that_is_none_says_so(letters, column, words):
    with pytest.raises(CommandError, match=words) as raised:
        run("lo_import", column=column, **{"from": "default"})
    assert raised.value.returncode == 2
