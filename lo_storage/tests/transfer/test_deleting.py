"""What is deleted in the source, and what is kept."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from lo_storage.transfer import rows

from .steps import COLUMN, content_of, lo_import


def test_the_source_goes_if_no_row_names_it_and_it_was_asked_for(letter, letters, folder):
    shared = [letter("shared.pdf"), letter("shared.pdf")]
    elsewhere = letter("elsewhere.pdf")
    letters.objects.create(scan="elsewhere.pdf")
    assert lo_import(folder, delete_source=True) == "Moved: 3. Not moved: 0.\n"
    assert [content_of(row) for row in [*shared, elsewhere]] == 3 * [b"content"]
    assert [path.name for path in folder.iterdir()] == ["elsewhere.pdf"]


class Elsewhere:
    """A router that looks for the letters in another database."""

    def db_for_write(self, model, **hints):
        return "rows"

    db_for_read = db_for_write


def test_a_file_is_kept_that_a_row_of_another_database_names(
    letter, letters, folder, another_alias, settings
):
    another_alias("rows")
    letter("a.pdf")
    letters.objects.create(scan="a.pdf")
    settings.DATABASE_ROUTERS = [f"{__name__}.Elsewhere"]
    assert lo_import(folder, delete_source=True, database="default") == "Moved: 1. Not moved: 0.\n"
    assert (folder / "a.pdf").exists()


def test_a_file_is_kept_and_told_where_a_database_cannot_be_asked(
    letter, folder, another_alias, monkeypatch
):
    another_alias("gone", connect_timeout=1)
    monkeypatch.setitem(connections["gone"].settings_dict, "PORT", "1")
    row = letter("a.pdf")
    printed = StringIO()
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
        call_command(
            "lo_import", COLUMN, **{"from": str(folder)}, delete_source=True, stdout=printed
        )
    assert "a.pdf was moved, and is kept, because nobody can tell" in printed.getvalue()
    assert (content_of(row), (folder / "a.pdf").exists()) == (b"content", True)


def test_a_file_is_kept_and_told_while_somebody_writes_to_rows(
    letter, folder, other_session, monkeypatch
):
    monkeypatch.setattr(rows, "TABLE_TIMEOUT", "50ms")
    monkeypatch.setattr(rows, "TRIES", 2)
    letter("a.pdf")
    with other_session.transaction():
        other_session.execute(
            "insert into lo_storage_tests_letter (title, data, scan) values ('', 'a.pdf', '')"
        )
        with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
            lo_import(folder, delete_source=True)
    assert (folder / "a.pdf").exists()


@pytest.mark.parametrize(
    ("moved", "other"),
    [
        ("a.pdf", "./a.pdf"),
        ("./a.pdf", "a.pdf"),
        ("a.pdf", "b/../a.pdf"),
        ("a.pdf", "{folder}/a.pdf"),
        ("{folder}/a.pdf", "a.pdf"),
        ("b/a.pdf", "b//a.pdf"),
        ("a.pdf", "../media/a.pdf"),
    ],
)
def test_a_file_is_kept_that_a_row_names_otherwise(letters, folder, moved, other):
    (folder / "b").mkdir()
    (folder / "a.pdf").write_bytes(b"content")
    (folder / "b" / "a.pdf").write_bytes(b"content")
    row = letters.objects.create(data=moved.format(folder=folder))
    letters.objects.create(scan=other.format(folder=folder))
    assert lo_import(folder, delete_source=True) == "Moved: 1. Not moved: 0.\n"
    assert content_of(row) == b"content"
    assert [path.exists() for path in (folder / "a.pdf", folder / "b" / "a.pdf")] == [True, True]
