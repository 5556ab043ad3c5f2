"""Single files out of dumps and out of a physical backup, by PostgreSQL's own programs."""

import shutil
import subprocess
from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from lo_storage.models import LargeObject
from lo_storage.tests.models import Document

from .conftest import ALIAS
from .test_checking import check, loid, site  # noqa: F401

documents = Document.objects.using(ALIAS)

FORMATS = ["custom", "directory", "tar", "plain"]


@pytest.fixture
def programs(server):
    """A function that runs one of the server's programs as its superuser."""

    def run(program, *arguments):
        command = [server.server.programs / program, f"--host={server.socket}"]
        subprocess.run([*command, "--username=postgres", *arguments], check=True)

    return run


def restore(server, *arguments, status=0):
    """Return what the command prints."""
    out = StringIO()
    try:
        call_command(
            "lo_restore",
            *map(str, arguments),
            f"--pg-restore={server.server.programs}/pg_restore",
            stdout=out,
            stderr=out,
        )
    except CommandError as error:
        assert error.returncode == status, error
        return f"{out.getvalue()}{error}\n"
    assert status == 0
    return out.getvalue()


def sql(server, *statements):
    with server.connect("postgres") as session:
        for statement in statements:
            session.execute(statement)


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_lost_comes_back_out_of_a_dump(site, programs, tmp_path, format):  # noqa: F811
    programs("pg_dump", f"--format={format}", f"--file={tmp_path}/dump", "app")
    before = list(LargeObject.objects.using(ALIAS).values())
    names = {title: documents.get(title=title).data.name for title in ("march", "april", "empty")}
    sql(
        site,
        f"select lo_unlink({loid('april')})",
        f"delete from pg_largeobject where loid = {loid('march')} and pageno = 2",
        f"alter table lo_storage_largeobject disable trigger all",
        "alter table lo_storage_tests_document disable trigger all",
        f"delete from lo_storage_largeobject where loid = {loid('empty')}",
        f"select lo_unlink({names['empty'].partition('.')[0]})",
        f"alter table lo_storage_largeobject enable trigger all",
        "alter table lo_storage_tests_document enable trigger all",
    )
    found = [("file-without-object", "april"), ("row-without-file", "empty"), ("wrong-content", "march")]
    assert check(verify=True) == (1, found)
    command = ["--missing", "--verify", f"--dump={tmp_path}/dump"]
    printed = "".join(
        f"{names[title]}: comes back, {size} bytes\n"
        for title, size in [("march", "10,000"), ("april", "5"), ("empty", "0")]
    )
    assert restore(site, *command) == f"{printed}Would be restored: 3. Refused: 0. --apply does it.\n"
    assert check(verify=True) == (1, found)
    assert restore(site, *command, "--apply") == f"{printed}Restored: 3. Refused: 0.\n"
    assert check(verify=True) == (0, [])
    assert list(LargeObject.objects.using(ALIAS).values()) == before
    assert site.stored() == {"march": b"m" * 10_000, "april": b"april", "empty": b""}
    assert "nothing is to be done" in restore(site, names["march"], command[-1], "--apply")
