"""Files that come into the library together, and what stops one of them."""

import pytest
from django.core.management import CommandError
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.storage import DbFileStorage

from .steps import content_of, lo_import


def test_a_row_that_the_database_refuses_stops_no_other(letter, folder):
    made = [letter(f"{n}.pdf") for n in range(4)]
    with connection.cursor() as cursor:
        cursor.execute(
            "alter table lo_storage_tests_letter add constraint other"
            f" check (id <> {made[1].pk} or data = '1.pdf')"
        )
    with pytest.raises(CommandError, match=r"^Moved: 3\. Not moved: 1\.$"):
        lo_import(folder)
    assert [content_of(row) for row in made if row != made[1]] == 3 * [b"content"]
    made[1].refresh_from_db()
    assert made[1].data.name == "1.pdf"
    assert LargeObject.objects.count() == 3


@pytest.mark.parametrize("size", [10, 600_000])
def test_what_another_import_has_moved_and_deleted_is_no_error(letter, folder, meddling, size):
    row = letter("a.pdf", bytes(size))
    nested = []

    def move_it_first(name):
        if not nested:
            nested.append(name)
            assert lo_import(folder, delete_source=True) == "Moved: 1. Not moved: 0.\n"

    meddling(move_it_first)
    assert lo_import("meddling", delete_source=True) == "Moved: 0. Not moved: 0.\n"
    assert content_of(row) == bytes(size)
    assert LargeObject.objects.count() == 1


def test_a_storage_that_saves_in_its_own_way_is_asked_for_each_file(
    letters, letter, folder, monkeypatch
):
    class Loud(DbFileStorage):
        def _save(self, name, content):
            return super()._save(f"loud {name}", content)

    row = letter("a.pdf")
    monkeypatch.setattr(letters._meta.get_field("data"), "storage", Loud())
    assert lo_import(folder) == "Moved: 1. Not moved: 0.\n"
    assert content_of(row) == b"content"
    assert LargeObject.objects.get().original_name == "loud a.pdf"
