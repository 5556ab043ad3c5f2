from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from lo_storage.models import LargeObject

from ..commands import run
from ..models import Document

pytestmark = pytest.mark.usefixtures("nothing_of_other_tests")


def mend(*arguments):
    out = StringIO()
    call_command("lo_mend", *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def lost(installed_documents, save):
    """A file whose large object is gone, and which a row names."""
    name = Document.objects.create(data=save()).data.name
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s::oid)", [name.partition(".")[0]])
    return name


def test_it_says_what_it_would_do_and_then_does_it(lost):
    line = f"{lost}: is deleted from the catalogue, and rows name nothing\n"
    assert mend("files") == f"{line}Would be mended: 1. --apply does it.\n"
    assert LargeObject.objects.count() == 1
    assert mend("files", "--apply") == f"{line}Mended: 1.\n"
    assert (LargeObject.objects.count(), Document.objects.get().data.name) == (0, None)
    assert mend("files") == "Would be mended: 0. --apply does it.\n"
    assert "Errors: 0." in run("lo_check")


def test_what_is_refused_is_told(lost):
    with connection.cursor() as cursor:
        cursor.execute("alter table lo_storage_tests_document alter column data set not null")
    try:
        with pytest.raises(CommandError, match=r"Mended: 0\. Refused: 1\.") as raised:
            mend("files", "--apply")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("alter table lo_storage_tests_document alter column data drop not null")
    assert raised.value.returncode == 1


@pytest.mark.parametrize("kind", ["rows", "files", "objects", "owners", "references"])
def test_nothing_to_mend(installed_documents, kind, save):
    save()
    assert mend(kind, "--apply") == "Mended: 0.\n"


def test_an_owner_is_about_owners(installed_documents):
    with pytest.raises(CommandError, match="--owner is about owners"):
        mend("rows", "--owner=app")


def test_rows_in_another_database_are_not_taken_for_none(save, rows_elsewhere):
    save()
    with pytest.raises(CommandError, match="rows of lo_storage_tests") as raised:
        mend("rows", "--apply")
    assert raised.value.returncode == 2
