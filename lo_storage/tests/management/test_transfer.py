"""What the two commands that move files share."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command


class Terminal(StringIO):
    def isatty(self):
        return True


@pytest.fixture
def missing(letters, tmp_path):
    """A row whose file is not in the folder, and what is printed of it."""
    row = letters.objects.create(data="a letter.pdf")

    def printed(**options):
        out, err = StringIO(), Terminal()
        options |= {"from": str(tmp_path), "stdout": out, "stderr": err}
        with pytest.raises(CommandError) as raised:
            call_command("lo_import", column="lo_storage_tests.Letter.data", **options)
        assert raised.value.returncode == 1
        return out.getvalue(), err.getvalue()

    return row, printed


def test_a_line_says_what_could_not_be_moved_and_what_to_do(missing):
    row, printed = missing
    assert printed()[0] == (
        f"error: lo_storage_tests.Letter.data, row {row.pk}: names a letter.pdf, which is not in"
        " the source. Put it there and run it again, or make the row name nothing\n"
    )


def test_for_a_program_it_is_an_object_of_json(missing):
    row, printed = missing
    found = json.loads(printed(json=True)[0])
    assert (found["kind"], found["name"], found["row"]) == (
        "not-in-source",
        "a letter.pdf",
        str(row.pk),
    )


def test_a_terminal_shows_how_far_it_is(missing):
    _, printed = missing
    assert "lo_storage_tests.Letter.data [" in printed()[1]


@pytest.mark.parametrize("command", ["lo_import", "lo_export"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "say which files"),
        ({"column": "a.B.c", "all": "folder"}, "say which files"),
        ({"all": "folder", "from_field": "scan"}, "--from-field cannot be given here"),
        ({"all": "folder", "delete_source": True}, "--delete-source cannot be given here"),
        ({"all": "folder", "jobs": 100}, "--jobs is a number from 1 to 64"),
    ],
)
def test_options_that_say_nothing_are_refused(db, command, options, words):
    with pytest.raises(CommandError, match=words) as raised:
        call_command(command, **options)
    assert raised.value.returncode == 2
