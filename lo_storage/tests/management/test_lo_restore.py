from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ..models import Document

pytestmark = pytest.mark.usefixtures("nothing_of_other_tests")


def restore(*arguments):
    """Return (exit status, what is printed)."""
    out = StringIO()
    try:
        call_command("lo_restore", *map(str, arguments), stdout=out, stderr=out)
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}\n"
    return 0, out.getvalue()


@pytest.fixture
def lost(installed_documents, save):
    """A file whose large object is gone, and which a row names."""
    name = Document.objects.create(data=save(b"march")).data.name
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s::oid)", [name.partition(".")[0]])
    return name


@pytest.fixture
def dump(tmp_path):
    """A function that returns a dump of some files, in plain SQL."""

    def dump(**contents):
        (tmp_path / "dump.sql").write_text(
            "--\n-- PostgreSQL database dump\n"
            + "".join(
                f"SELECT pg_catalog.lo_open('{name[1:]}', 131072);\n"
                f"SELECT pg_catalog.lowrite(0, '\\x{content.hex()}');\n"
                "SELECT pg_catalog.lo_close(0);\n"
                for name, content in contents.items()
            )
        )
        return tmp_path / "dump.sql"

    return dump


def test_it_says_what_it_would_do_and_then_does_it(lost, dump):
    path = dump(**{f"_{lost.partition('.')[0]}": b"march"})
    line = f"{lost}: comes back, 5 bytes\n"
    for names in ([lost], ["--missing"], ["--missing", "--verify"]):
        assert restore(*names, "--dump", path) == (
            0,
            f"{line}Would be restored: 1. Refused: 0. --apply does it.\n",
        )
    assert restore(lost, "--dump", path, "--apply") == (0, f"{line}Restored: 1. Refused: 0.\n")
    assert restore(lost, "--dump", path, "--apply") == (
        0,
        f"{lost}: is there as it was stored: nothing is to be done\nRestored: 0. Refused: 0.\n",
    )
    assert restore("--missing", "--dump", path, "--apply") == (0, "Restored: 0. Refused: 0.\n")


def test_what_is_refused_is_told(lost, dump, tmp_path):
    assert restore(lost, "../passwd", "--dump", dump(_7=b"another")) == (
        1,
        "../passwd: refused: it is no name that the library gives\n"
        f"{lost}: refused: is not in the backup\n"
        "Would be restored: 0. Refused: 2.\n",
    )
    status, printed = restore("7", "--dump", dump(_7=b"another"), "--output", tmp_path / "new/out")
    assert (status, printed) == (
        0,
        f"7: is in {tmp_path}/new/out/7, 7 bytes\nRestored: 1. Refused: 0.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dump=x"], "give the names of files, or --missing"),
        (["7", "--missing", "--dump=x"], "give the names of files, or --missing"),
        (["7", "--verify", "--dump=x"], "--verify is about --missing"),
        (["7"], "one of the arguments --dump --from is required"),
        (["7", "--dump=x", "--from=y"], "not allowed with argument"),
        (["7", "--dump=/no/such/file"], "could not look: /no/such/file: No such file"),
        (["7", "--from=nonsense"], "could not look: "),
    ],
)
def test_what_cannot_be_looked_at_has_a_status_of_its_own(db, arguments, says):
    status, printed = restore(*arguments)
    assert (status in (1, 2), says in printed) == (True, True), printed


def test_rows_in_another_database_are_not_taken_for_none(save, rows_elsewhere, dump):
    status, printed = restore("--missing", "--dump", dump())
    assert (status, "rows of lo_storage_tests" in printed) == (2, True)
