import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import IntegrityError, connection, transaction

from lo_storage.models import LargeObject
from lo_storage.uploads import limits, staging
from lo_storage.uploads.files import StagedFile
from lo_storage.uploads.models import Upload


def read(document):
    with document.data.open() as file:
        return file.read()


def test_a_row_takes_an_upload_without_a_copy(documents, staged, round_trips):
    upload = staged(b"content", "Rechnung März.pdf")
    with transaction.atomic(), round_trips:
        document = documents.objects.create(data=StagedFile("default", upload))
    assert not [statement for statement in round_trips if "lo_from_bytea" in statement]
    assert document.data.name == f"{upload.loid}.pdf"
    entry = LargeObject.objects.get()
    assert (entry.loid, entry.original_name, entry.size) == (upload.loid, "Rechnung März.pdf", 7)
    assert entry.sha256 == hashlib.sha256(b"content").hexdigest()
    assert read(document) == b"content"
    assert not Upload.objects.exists()


def test_the_planner_finds_a_piece_once_and_not_in_returning():
    assert staging.APPEND.count("%(data)b") == 1
    assert "returning lo_put" not in staging.APPEND


def test_a_roll_back_leaves_it_staged(documents, staged):
    upload = staged()
    with suppress(ZeroDivisionError), transaction.atomic():
        documents.objects.create(data=StagedFile("default", upload))
        1 / 0  # noqa: B018  # raises
    assert (LargeObject.objects.count(), documents.objects.count()) == (0, 0)
    document = documents.objects.create(data=StagedFile("default", Upload.objects.get()))
    assert read(document) == b"content"


def test_a_savepoint_leaves_it_staged(documents, staged):
    upload = staged()
    with transaction.atomic():
        with suppress(ZeroDivisionError), transaction.atomic():
            documents.objects.create(data=StagedFile("default", upload))
            1 / 0  # noqa: B018  # raises
        documents.objects.create(data=StagedFile("default", upload))
    assert read(documents.objects.get()) == b"content"


def test_a_refusal_at_commit_leaves_it_staged(documents, staged):
    upload = staged()
    rows = [documents(data=StagedFile("default", upload)), documents(data="1.pdf")]
    with pytest.raises(IntegrityError), transaction.atomic():
        list(map(documents.save, rows))
    assert Upload.objects.count() == 1


def test_a_deleted_row_deletes_the_object(documents, staged, large_objects):
    before = large_objects()
    documents.objects.create(data=StagedFile("default", staged())).delete()
    assert large_objects() == before


@pytest.fixture
def strangers():
    """A function that puts a stranger's object under a number."""
    numbers = []

    def put(loid):
        numbers.append(loid)
        with connection.cursor() as cursor:
            cursor.execute("select lo_from_bytea(%s, 'stranger')", [loid])

    yield put
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(number) from unnest(%s::oid[]) as number", [numbers])


@pytest.mark.parametrize("what", ["saved", "expired", "incomplete", "lost", "a stranger's"])
def test_what_cannot_be_taken_is_told(what, documents, staged, user, strangers):
    if what == "incomplete":
        upload = staging.create("default", user, 5, "a.pdf")
    else:
        upload = staged()
        if what == "saved":
            documents.objects.create(data=StagedFile("default", upload))
        elif what == "expired":
            Upload.objects.all().delete()
        else:
            with connection.cursor() as cursor:
                cursor.execute("select lo_unlink(%s)", [upload.loid])
                if what == "a stranger's":
                    strangers(upload.loid)
    before = documents.objects.count()
    with (
        pytest.raises(staging.UploadGone, match=f"the upload {upload.pk} is gone"),
        transaction.atomic(),
    ):
        documents.objects.create(data=StagedFile("default", upload))
    assert documents.objects.count() == before


def test_numbers_that_a_restore_left_in_the_catalogue_are_left_alone(user, cursor):
    """As `test_catalogue.py` has it: PostgreSQL takes the numbers for free."""
    (last,) = cursor.execute("select lo_create(0)::bigint").fetchone()
    with connection.cursor() as ours:
        ours.execute(
            "insert into lo_storage_largeobject"
            "       (loid, name, original_name, size, version, created_at, modified_at)"
            " select number, number || '.txt', '', 5, 1, now(), now()"
            "   from generate_series(%s::bigint + 1, %s + 200) as number",
            [last, last],
        )
    upload = staging.create("default", user, 1, "scan.pdf")
    assert not LargeObject.objects.filter(loid=upload.loid).exists()
    assert upload.loid >= 2**31


def test_an_older_request_writes_no_more(user):
    first = staging.claim("default", user, staging.create("default", user, 6, "a").pk)
    staging.append("default", first, b"abc")
    second = staging.claim("default", user, first.pk)
    assert second.received == 3
    with pytest.raises(staging.Superseded):
        staging.append("default", first, b"xyz")
    staging.append("default", second, b"def")
    assert staging.seal("default", second)
    assert second.sha256 == hashlib.sha256(b"abcdef").hexdigest()


def test_one_of_two_forms_takes_it(documents, staged):
    upload = staged()

    def take(_):
        try:
            documents.objects.create(data=StagedFile("default", upload))
        except FileNotFoundError:
            return 0
        finally:
            connection.close()
        return 1

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, range(2))) == [0, 1]
    assert read(documents.objects.get()) == b"content"


def test_ten_at_once_are_no_more_than_may_be(user, settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_NUMBER": 3}

    def create(_):
        try:
            staging.create("default", user, 1, "a.pdf")
        except limits.LimitExceeded:
            return 0
        finally:
            connection.close()
        return 1

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(create, range(10))) == 3


def test_nothing_is_written_to_or_read_of_a_strangers_object(user, strangers, large_objects):
    upload = staging.claim("default", user, staging.create("default", user, 6, "a.pdf").pk)
    staging.append("default", upload, b"abc")
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s)", [upload.loid])
    with pytest.raises(staging.Superseded):
        staging.append("default", upload, b"def")
    strangers(upload.loid)
    with pytest.raises(staging.Superseded):
        staging.append("default", upload, b"def")
    assert staging.find("default", user, [upload.pk]) == {}
    upload.length = 3
    with pytest.raises(staging.UploadGone):
        StagedFile("default", upload).read()
    with pytest.raises(staging.UploadGone):
        next(StagedFile("default", upload).chunks())


def test_a_request_that_would_go_on_elsewhere_ends_no_other(user):
    first = staging.claim("default", user, staging.create("default", user, 6, "a").pk)
    staging.append("default", first, b"abc")
    assert staging.claim("default", user, first.pk, 0) is None
    staging.append("default", first, b"def")
    assert first.is_complete


@pytest.mark.parametrize("name", ["..", ".", "", "a/", "C:\\..", "\0"])
def test_a_name_that_is_none_is_not_kept(name, user):
    assert staging.create("default", user, 1, name).original_name == ""
