import hashlib
from io import BytesIO

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.db import connection
from django.http.multipartparser import MultiPartParserError
from django.test import RequestFactory
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from lo_storage.uploads import bodies, staging
from lo_storage.uploads.files import StagedFile
from lo_storage.uploads.handlers import UploadHandler
from lo_storage.uploads.models import Upload

MiB = 1024 * 1024


def request_of(user, *files, cut=0, body=BytesIO):
    """Make the request, of which so many bytes at the end do not come."""
    sent = encode_multipart(BOUNDARY, {"data": list(files)})
    length = {"CONTENT_LENGTH": str(len(sent)), "wsgi.input": body(sent[: len(sent) - cut])}
    request = RequestFactory().generic("POST", "/", sent, MULTIPART_CONTENT, **length)
    request.user = user
    request.upload_handlers = [UploadHandler(request), MemoryFileUploadHandler(request)]
    return request


def test_a_file_is_staged_by_pieces_of_a_mib_while_it_arrives(user, round_trips):
    content = bytes(range(256)) * (3 * MiB // 256) + b"rest"
    request = request_of(user, SimpleUploadedFile("scan.pdf", content))
    with round_trips:
        (file,) = request.FILES.getlist("data")
    assert isinstance(file, StagedFile)
    assert (file.name, file.size, file.content_type) == (
        "scan.pdf",
        len(content),
        "application/pdf",
    )
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert sum("lo_put" in statement for statement in round_trips) == 4
    assert b"".join(file.chunks()) == content
    assert b"".join(file.chunks(1000)) == content
    file.close()


def test_of_a_slow_client_no_connection_is_kept(user, monkeypatch):
    seen = []

    class Slow(BytesIO):
        def read(self, size=-1):
            seen.append(connection.connection)
            return super().read(min(size, bodies.READ_SIZE))

    request = request_of(user, SimpleUploadedFile("a.pdf", bytes(3 * MiB)), body=Slow)
    monkeypatch.setattr(bodies, "SLOW", -1)
    connection.ensure_connection()
    request.FILES  # noqa: B018  # parses
    assert len(seen) > 3
    assert seen.count(None) > len(seen) / 2  # all but what follows on a piece that was stored


def test_files_of_nobody_are_left_to_the_next_handler(transactional_db, large_objects):
    before = large_objects()
    request = request_of(AnonymousUser(), SimpleUploadedFile("scan.pdf", b"content"))
    (file,) = request.FILES.getlist("data")
    assert (file.read(), large_objects()) == (b"content", before)


def test_a_request_that_breaks_off_leaves_nothing(user, large_objects):
    before = large_objects()
    files = [SimpleUploadedFile("a.pdf", b"a"), SimpleUploadedFile("b.pdf", b"b" * 2 * MiB)]
    request = request_of(user, *files, cut=MiB)
    with pytest.raises(MultiPartParserError):
        request.FILES  # noqa: B018  # parses
    assert (Upload.objects.count(), large_objects()) == (0, before)


@pytest.mark.parametrize("is_read_before", [False, True])
def test_a_request_that_breaks_off_between_two_fields_leaves_nothing(
    is_read_before, user, large_objects
):
    before = large_objects()
    files = [SimpleUploadedFile("a.pdf", b"a"), SimpleUploadedFile("b.pdf", b"b")]
    body = encode_multipart(BOUNDARY, {"data": files})
    end = body.index(b"--" + BOUNDARY.encode(), 2)  # of the first
    request = request_of(user, *files, cut=len(body) - end - len(BOUNDARY) - 4)
    if is_read_before:
        request.body  # noqa: B018  # reads
    with pytest.raises(MultiPartParserError, match="The form broke off"):
        request.FILES  # noqa: B018  # parses
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_a_quota_holds_while_several_forms_arrive(user, settings, monkeypatch):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_SIZE": 5 * MiB}
    first = request_of(user, SimpleUploadedFile("a.pdf", b"a" * 3 * MiB))
    second = request_of(user, SimpleUploadedFile("b.pdf", b"b" * 3 * MiB))
    append, begun = staging.append, []

    def append_beside(*args):
        if not begun:
            begun.append(True)
            second.FILES  # noqa: B018  # parses
        append(*args)

    monkeypatch.setattr(staging, "append", append_beside)
    (file,) = first.FILES.getlist("data")
    assert "together" in file.problem


@pytest.mark.parametrize("what", ["upload", "user"])
def test_what_goes_while_it_arrives_is_told(what, user, monkeypatch):
    request = request_of(user, SimpleUploadedFile("a.pdf", b"a" * 3 * MiB))
    append = staging.append

    def lose(*args):
        Upload.objects.all().delete() if what == "upload" else user.delete()
        append(*args)

    monkeypatch.setattr(staging, "append", lose)
    (file,) = request.FILES.getlist("data")
    assert file.problem == "An upload is no longer here. Choose its file again."
