"""A role that owns no large object, and may do with one what was granted, or nothing."""

import errno
import re

import pytest
from django.db import ProgrammingError, connection, transaction

from lo_storage import catalogue, large_objects
from lo_storage.models import LargeObject
from lo_storage.storage import DbFileIO, db_file_storage
from lo_storage.upkeep.adoption import adopt

pytestmark = pytest.mark.django_db

WRITING = ["r+b", "wb", "w+b", "ab", "a+b"]


@pytest.fixture(params=["catalogued", "not catalogued"])
def loid(request, save):
    """The number of an object of our own role."""
    if request.param == "catalogued":
        return db_file_storage.entry(save(b"content")).loid
    return execute("select lo_from_bytea(0, 'content')")


def execute(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0] if cursor.description else None


@pytest.fixture
def become_guest(guest):
    """A function that makes ours the role of a guest, with some privileges on an object."""

    def become(loid, privileges=None, to=None):
        execute(f"grant select, insert, update on lo_storage_largeobject to {guest}")
        if privileges:
            execute(f"grant {privileges} on large object {loid} to {to or guest}")
        execute(f"set local role {guest}")

    return become


@pytest.mark.parametrize("mode", ["rb", *WRITING])
def test_no_privilege_is_refused_and_leaves_the_transaction_usable(
    mode, loid, become_guest, large_objects
):
    before = large_objects(), list(LargeObject.objects.values())
    become_guest(loid)
    with pytest.raises(PermissionError, match=f"permission denied for large object {loid}") as info:
        DbFileIO(loid, mode, content_below=100)
    assert info.value.errno == errno.EACCES
    assert (large_objects(), list(LargeObject.objects.values())) == before


def test_the_storage_refuses_as_the_file_does(save, become_guest):
    name = save(b"content")
    become_guest(db_file_storage.entry(name).loid)
    for mode in ("rb", "wb"):
        with pytest.raises(PermissionError, match="permission denied for large object"):
            db_file_storage.open(name, mode)
    assert db_file_storage.size(name) == 7


@pytest.mark.parametrize("to", [None, "public"])
def test_who_may_only_read_is_refused_to_write(loid, become_guest, to):
    become_guest(loid, "select", to)
    with DbFileIO(loid, content_below=100) as file:
        assert file.read() == b"content"
    for mode in WRITING:
        with pytest.raises(PermissionError, match="permission denied for large object"):
            DbFileIO(loid, mode)
    assert execute("select 1") == 1


def test_who_may_read_and_write_does(loid, become_guest):
    become_guest(loid, "select, update")
    with DbFileIO(loid, "r+b") as file:
        assert file.write(b"CON") == 3
        file.seek(0)
        assert file.read() == b"CONtent"


def test_an_object_of_another_role_costs_three_more_round_trips(loid, become_guest, round_trips):
    become_guest(loid, "select")
    with round_trips:
        DbFileIO(loid).close()
    first, begin, tried, end = round_trips
    assert (first, tried) == (catalogue.OPEN, large_objects.SIZE)
    assert begin.startswith("SAVEPOINT")
    assert end.startswith("RELEASE SAVEPOINT")


def test_what_the_server_allows_to_all_is_allowed(loid, become_guest):
    become_guest(loid)
    execute("set local lo_compat_privileges = on")
    with DbFileIO(loid, "r+b") as file:
        assert file.read() == b"content"


def test_a_new_object_is_its_creators(become_guest):
    become_guest(0)
    with DbFileIO(0, "w+b", "notes.txt") as file:
        file.write(b"ours")
        file.seek(0)
        assert file.read() == b"ours"


def test_who_may_not_write_the_catalogue_creates_nothing(become_guest, guest, large_objects):
    before = large_objects()
    become_guest(0)
    execute("reset role")
    execute(f"revoke insert on lo_storage_largeobject from {guest}")
    execute(f"set local role {guest}")
    with (
        pytest.raises(PermissionError, match="permission denied for table lo_storage_largeobject"),
        transaction.atomic(),
    ):
        DbFileIO(0, "wb")
    assert large_objects() == before


def test_adopting_what_is_another_role_s_says_so_and_goes_on(become_guest, guest):
    """Also where it may be read: it would be served, and could never be deleted."""
    theirs, granted = (execute("select lo_from_bytea(0, 'content')") for _ in range(2))
    become_guest(granted, "select")
    ours = execute("select lo_from_bytea(0, 'content')")
    for loid in (theirs, granted):
        reason = "the large object is another role's, which alone may delete it"
        assert adopt("default", f"{loid}.pdf") == reason
    assert adopt("default", f"{ours}.pdf") is None
    assert list(LargeObject.objects.values_list("name", "size")) == [(f"{ours}.pdf", 7)]


def test_a_table_that_the_role_may_not_read_is_told_and_nothing_is_lost(documents, guest, save):
    document = documents.objects.create(data=save())
    execute(f"grant select, delete on lo_storage_tests_document to {guest}")
    execute(f"grant select, update, delete on lo_storage_largeobject to {guest}")
    with (  # noqa: PT012  # its end, too
        pytest.raises(ProgrammingError, match="may not read all of its column data") as refused,
        transaction.atomic(),
    ):
        execute(f"set local role {guest}")
        documents.objects.all().delete()
    hint = refused.value.__cause__.diag.message_hint
    assert re.fullmatch(rf"Run: GRANT SELECT \(data\) ON \w+ TO {guest}", hint)
    with documents.objects.get().data as file:
        assert (document.pk, file.read()) == (documents.objects.get().pk, b"content")


def test_a_privilege_that_was_taken_meanwhile(loid, become_guest, guest):
    become_guest(loid, "select")
    with DbFileIO(loid) as file:
        execute("reset role")
        execute(f"revoke select on large object {loid} from {guest}")
        execute(f"set local role {guest}")
        with pytest.raises(PermissionError, match="denied for large object"), transaction.atomic():
            file.read()
    assert execute("select 1") == 1
