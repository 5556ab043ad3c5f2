import hashlib
from base64 import b64encode
from datetime import timedelta
from inspect import Parameter, signature

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.db import connection
from django.http import Http404
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from django.utils.http import http_date

from lo_storage import views
from lo_storage.catalogue import FIND, FIND_AND_READ, READ_VERSION
from lo_storage.large_objects import ROW_SIZE
from lo_storage.models import LargeObject
from lo_storage.serving.answers import answer
from lo_storage.serving.headers import etag
from lo_storage.serving.ranges import MAX_RANGES
from lo_storage.storage import DbFileIO, db_file_storage
from lo_storage.views import db_serve

pytestmark = pytest.mark.django_db

CONTENT = b"0123456789"


@pytest.fixture
def name(save):
    return save(CONTENT, "march.txt")


@pytest.fixture
def serve(name):
    """A function that asks for the file with some headers, by GET unless told otherwise."""

    def serve(method="GET", headers=None, filename=name, **options):
        request = RequestFactory().generic(method, "/", headers=headers)
        return db_serve(request, filename, **options)

    return serve


def body(response):
    return b"".join(response) if response.streaming else response.content


def entry():
    return LargeObject.objects.get()


def test_the_whole_file(serve):
    response = serve()
    assert (response.status_code, body(response)) == (200, CONTENT)
    assert dict(response.headers) == {
        "Content-Type": "text/plain",
        "Content-Disposition": 'attachment; filename="march.txt"',
        "Content-Length": "10",
        "Repr-Digest": f"sha-256=:{b64encode(hashlib.sha256(CONTENT).digest()).decode()}:",
        "Accept-Ranges": "bytes",
        "ETag": etag(entry()),
        "Last-Modified": http_date(entry().modified_at.timestamp()),
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'self'; sandbox"
        ),
    }


def test_a_text_in_an_encoding_that_is_known(serve):
    response = serve(charset="utf-16")
    assert response["Content-Type"] == "text/plain; charset=utf-16"
    assert response["Content-Disposition"] == 'inline; filename="march.txt"'


def test_head_has_the_headers_of_get_and_no_body(serve):
    get, head = serve(), serve("HEAD", {"Range": "bytes=0-1"})
    assert (head.status_code, body(head)) == (200, b"")
    assert dict(head.headers) == dict(get.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(serve, method):
    response = serve(method)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "wrong",
    [
        *("4294967295.txt", "4294967296.txt", "", "0", "..", "../12.txt", "12.txt\0", "١٢.txt"),
        *("+{}.txt", "0{}.txt", "{}.html", "{}", "{}.txt.txt", "{}_0.txt"),
    ],
)
def test_what_the_catalogue_does_not_have_letter_for_letter(serve, wrong):
    with pytest.raises(Http404, match="There is no such file"):
        serve(filename=wrong.format(entry().loid))


def test_another_application_s_large_object_is_not_served(serve):
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'theirs')")
        (loid,) = cursor.fetchone()
    with pytest.raises(Http404):
        serve(filename=str(loid))


@pytest.mark.parametrize(
    ("header", "content", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=3-", b"3456789", "bytes 3-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ],
)
def test_a_range(serve, header, content, content_range):
    response = serve(headers={"Range": header})
    assert (response.status_code, body(response)) == (206, content)
    assert response["Content-Range"] == content_range
    assert response["Content-Length"] == str(len(content))


def test_a_range_outside_of_the_file(serve):
    response = serve(headers={"Range": "bytes=10-"})
    assert (response.status_code, body(response)) == (416, b"")
    assert response["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("header", ["bytes=", "bytes=a-b", "lines=1-2"])
def test_a_range_that_is_ignored(serve, header):
    response = serve(headers={"Range": header})
    assert (response.status_code, body(response)) == (200, CONTENT)


def test_a_range_that_spans_statements():
    data = bytes(range(256)) * 20_000
    name = db_file_storage.save("x.bin", ContentFile(data))
    request = RequestFactory().get("/", headers={"Range": "bytes=1000-4000000"})
    assert body(db_serve(request, name)) == data[1000:4_000_001]


def test_a_range_beyond_what_32_bits_count():
    name = db_file_storage.save("x.bin", ContentFile(b"begin"))
    with DbFileIO(db_file_storage.entry(name).loid, "r+b") as file:
        file.seek(5 * 1024**3)
        file.write(b"end")
    headers = {"Range": f"bytes={2**32 - 1}-{2**32},-4"}
    response = db_serve(RequestFactory().get("/", headers=headers), name)
    (first, second) = body(response).split(b"Content-Range: ")[1:]
    assert first.startswith(b"bytes 4294967295-4294967296/5368709123\r\n\r\n\0\0\r\n--")
    assert second.startswith(b"bytes 5368709119-5368709122/5368709123\r\n\r\n\0end\r\n--")


def test_if_range(serve):
    validator = etag(entry())
    date = http_date(entry().modified_at.timestamp())
    old = http_date((entry().modified_at - timedelta(days=1)).timestamp())
    for if_range, status in [
        (validator, 206),
        (date, 206),
        (old, 200),
        (f"W/{validator}", 200),
        ('"other"', 200),
        ("nonsense", 200),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", 200),
    ]:
        response = serve(headers={"Range": "bytes=0-0", "If-Range": if_range})
        assert (if_range, response.status_code) == (if_range, status)


def test_if_range_by_date_does_not_hold_for_what_may_have_changed_twice_in_that_second(serve):
    LargeObject.objects.update(version=2)
    date = http_date(entry().modified_at.timestamp())
    assert serve(headers={"Range": "bytes=0-0", "If-Range": date}).status_code == 200


def test_a_number_given_again_after_a_restore_has_another_validator(serve):
    before = serve()["ETag"]
    LargeObject.objects.update(modified_at=entry().modified_at + timedelta(microseconds=1))
    assert serve(headers={"If-None-Match": before}).status_code == 200


# RFC 9110, section 5.6.7: they are read all the same.
OBSOLETE = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]


def test_conditions(serve):
    validator = etag(entry())
    date = http_date(entry().modified_at.timestamp())
    for header, value, status in [
        ("If-None-Match", validator, 304),
        ("If-None-Match", f'"a", W/{validator}', 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", '"other"', 200),
        ("If-Match", validator, 200),
        ("If-Match", '"other"', 412),
        ("If-Modified-Since", date, 304),
        *(("If-Modified-Since", entry().modified_at.strftime(form), 304) for form in OBSOLETE),
        ("If-Unmodified-Since", "Tue, 01 Jan 1980 00:00:00 GMT", 412),
    ]:
        response = serve(headers={header: value})
        assert (header, value, response.status_code) == (header, value, status)


def test_what_has_not_changed_has_all_headers_but_the_length(serve):
    whole = dict(serve().headers)
    del whole["Content-Length"]
    response = serve(headers={"If-None-Match": "*"})
    assert (response.status_code, body(response)) == (304, b"")
    assert dict(response.headers) == whole


def test_a_refusal_has_the_headers_of_the_file_but_none_of_its_content(serve):
    whole = dict(serve().headers)
    for name in ("Content-Type", "Content-Disposition", "Content-Length", "Repr-Digest"):
        del whole[name]
    for status, headers, more in [
        (412, {"If-Match": '"other"'}, {"Content-Length": "0"}),
        (416, {"Range": "bytes=10-"}, {"Content-Length": "0", "Content-Range": "bytes */10"}),
    ]:
        response = serve(headers=headers)
        assert (response.status_code, body(response)) == (status, b"")
        assert dict(response.headers) == {**whole, **more}


def test_several_ranges(save, serve):
    name = save(CONTENT * 100, "march.txt")
    response = serve(headers={"Range": "bytes=-1,0-1,5-6"}, filename=name)
    boundary = response["Content-Type"].removeprefix("multipart/byteranges; boundary=")
    expected = "".join(
        f"\r\n--{boundary}\r\nContent-Type: text/plain\r\n"
        f"Content-Range: bytes {span}/1000\r\n\r\n{part}"
        for span, part in [("999-999", "9"), ("0-1", "01"), ("5-6", "56")]
    )
    expected += f"\r\n--{boundary}--\r\n"
    assert (response.status_code, body(response)) == (206, expected.encode())
    assert response["Content-Length"] == str(len(expected))
    assert "Content-Range" not in response


def test_an_overwritten_file_has_another_validator_and_no_digest(serve):
    before = serve()["ETag"]
    with DbFileIO(entry().loid, "r+b") as file:
        file.write(b"x")
    assert serve()["ETag"] != before
    assert "Repr-Digest" not in serve()


def test_the_original_name_comes_back(save):
    response = db_serve(RequestFactory().get("/"), save(b"<script>", "Ünï.svg"))
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == (
        "attachment; filename=\"Uni.svg\"; filename*=UTF-8''%C3%9Cn%C3%AF.svg"
    )


def test_what_is_new_in_db_serve_is_keyword_only():
    kinds = {name: parameter.kind for name, parameter in signature(db_serve).parameters.items()}
    assert kinds == {
        **dict.fromkeys(["request", "filename"], Parameter.POSITIONAL_OR_KEYWORD),
        **dict.fromkeys(
            ["storage", "as_attachment", "download_name", "cache_control", "charset"],
            Parameter.KEYWORD_ONLY,
        ),
    }


def test_the_caller_decides(serve):
    response = serve(as_attachment=True, download_name="2024.txt", cache_control="no-store")
    assert response["Content-Disposition"] == 'attachment; filename="2024.txt"'
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_a_file_that_changes_before_a_byte_is_sent_is_looked_for_again(save, monkeypatch, change):
    name = save(bytes(600_000), "x.bin")

    def answer_later(*given):
        monkeypatch.undo()
        if change == "deleted":
            db_file_storage.delete(name)
        else:
            with DbFileIO(entry().loid, "r+b") as file:
                file.write(b"x")
        return answer(*given)

    monkeypatch.setattr(views, "answer", answer_later)
    request = RequestFactory().get("/")
    if change == "deleted":
        with pytest.raises(Http404):
            db_serve(request, name)
    else:
        assert body(db_serve(request, name)) == b"x" + bytes(599_999)


def test_an_empty_file(save):
    request = RequestFactory().get("/", headers={"Range": "bytes=0-"})
    name = save(b"", "a.txt")
    assert db_serve(request, name).status_code == 416
    response = db_serve(RequestFactory().get("/"), name)
    assert (response.status_code, response["Content-Length"], body(response)) == (200, "0", b"")


# As many ranges as are read, and no two of them touch.
EVERY_OTHER = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 2 * MAX_RANGES, 2))


@pytest.mark.parametrize(
    ("size", "method", "headers", "statements"),
    [
        (0, "GET", {}, [FIND_AND_READ]),
        (ROW_SIZE - 1, "GET", {"Range": "bytes=-2"}, [FIND_AND_READ]),
        (ROW_SIZE, "GET", {}, [FIND_AND_READ, READ_VERSION]),
        (ROW_SIZE, "GET", {"Range": "bytes=0-0,2-2"}, [FIND_AND_READ, READ_VERSION, READ_VERSION]),
        (ROW_SIZE, "GET", {"Range": EVERY_OTHER}, [FIND_AND_READ, READ_VERSION]),
        (ROW_SIZE - 1, "GET", {"Range": EVERY_OTHER}, [FIND_AND_READ]),
        (10, "HEAD", {}, [FIND]),
        (10, "GET", {"If-None-Match": "*"}, [FIND]),
        (10, "GET", {"If-None-Match": '"another"'}, [FIND, READ_VERSION]),
    ],
)
def test_round_trips(save, round_trips, size, method, headers, statements):
    name = save(bytes(size))
    with round_trips:
        body(db_serve(RequestFactory().generic(method, "/", headers=headers), name))
    assert round_trips == statements


urlpatterns = [path("<path:filename>", db_serve)]


def test_django_s_clients(save, settings):
    settings.ROOT_URLCONF = __name__
    content = bytes(range(256)) * 5_000
    name = save(content, "x.bin")
    assert Client().get(f"/{name}").getvalue() == content

    async def read():
        response = await AsyncClient().get(f"/{name}")
        return b"".join([row async for row in response])

    assert async_to_sync(read)() == content
