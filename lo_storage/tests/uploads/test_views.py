"""tus 1.0.0, request by request: https://tus.io/protocols/resumable-upload"""

import hashlib
from base64 import b64encode
from datetime import timedelta
from io import BytesIO
from urllib.parse import urljoin

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from lo_storage.uploads.models import Upload

from .conftest import HEADERS, PIECE, TusClient

MiB = 1024 * 1024


def test_what_the_server_can_is_told(tus, settings):
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 5000}
    response = tus.options("/uploads/")
    assert response.status_code == 204
    assert response.headers["Tus-Version"] == response.headers["Tus-Resumable"] == "1.0.0"
    assert (
        response.headers["Tus-Extension"] == "creation,creation-with-upload,expiration,termination"
    )
    assert response.headers["Tus-Max-Size"] == "5000"
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": None}
    assert tus.tus("OPTIONS").headers["Tus-Max-Size"] == str(4 * 1024**4 - 2048)


def test_a_file_comes_in_pieces(tus, user):
    content = b"0123456789"
    address = tus.begin(len(content), "Rechnung März.pdf")
    assert tus.send(address, 0, content[:4]).headers["Upload-Offset"] == "4"
    head = tus.tus("HEAD", address)
    assert (head.status_code, head.headers["Upload-Offset"]) == (200, "4")
    assert (head.headers["Upload-Length"], head.headers["Cache-Control"]) == ("10", "no-store")
    assert tus.send(address, 4, content[4:]).headers["Upload-Offset"] == "10"
    upload = Upload.objects.get(owner=user)
    assert upload.original_name == "Rechnung März.pdf"
    assert upload.sha256 == hashlib.sha256(content).hexdigest()


def test_a_file_in_one_piece_is_not_read_again(tus, round_trips):
    content = b"x" * (2 * MiB + 5)
    address = tus.begin(len(content))
    with round_trips:
        assert tus.send(address, 0, content).status_code == 204
    assert not [statement for statement in round_trips if "select lo_get" in statement]
    assert Upload.objects.get().sha256 == hashlib.sha256(content).hexdigest()


def test_a_piece_is_written_at_whole_mib(tus, round_trips):
    content = b"x" * (3 * MiB)
    address = tus.begin(len(content))
    tus.send(address, 0, content[:100])
    with round_trips:
        tus.send(address, 100, content[100:])
    assert sum("lo_put" in statement for statement in round_trips) == 3


def test_a_user_s_own_are_listed_and_nobody_else_s(tus, user, stranger, client_of, staged):
    whole = staged(b"content", "scan.pdf")
    begun = tus.begin(10, "letter\u202efdp.exe")
    tus.send(begun, 0, b"0123")
    staged(b"secret", "secret.pdf", owner=stranger)
    past = staged(b"past")
    Upload.objects.filter(pk=past.pk).update(expires_at=timezone.now())
    response = tus.tus("GET")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    listed = response.json()["uploads"]
    assert [upload.pop("expires") > timezone.now().isoformat() for upload in listed] == [True] * 2
    assert listed == [
        {"id": str(whole.pk), "name": "scan.pdf", "length": 7, "received": 7},
        {"id": begun.split("/")[2], "name": "letter\u202efdp.exe", "length": 10, "received": 4},
    ]
    assert [one["name"] for one in client_of(stranger).tus("GET").json()["uploads"]] == [
        "secret.pdf"
    ]
    assert TusClient().tus("GET").status_code == 401


def test_the_list_is_one_query(tus, staged, django_assert_num_queries):
    staged()
    with django_assert_num_queries(3):  # beside those of the session and its user
        tus.tus("GET")


def test_an_address_without_its_slash_leads_to_the_same_place(tus):
    begun = tus.tus("POST", "/uploads", Upload_Length=3)
    address = urljoin("/uploads", begun.headers["Location"])
    assert tus.send(address, 0, b"abc").status_code == 204


def test_an_empty_file_is_whole_at_once(tus):
    tus.begin(0)
    assert Upload.objects.get().sha256 == hashlib.sha256(b"").hexdigest()


def test_its_end_is_told_and_moves_with_each_request(tus):
    address = tus.begin(5)
    Upload.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    assert "Upload-Expires" in tus.tus("HEAD", address).headers
    assert Upload.objects.get().expires_at > timezone.now() + timedelta(days=6)


def test_an_end_leaves_nothing(tus, large_objects):
    before = large_objects()
    address = tus.begin(5)
    tus.send(address, 0, b"abc")
    assert tus.tus("DELETE", address).status_code == 204
    assert tus.tus("DELETE", address).status_code == 404
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_a_second_piece_for_one_offset_is_told_where_to_go_on(tus):
    address = tus.begin(10)
    tus.send(address, 0, b"abcd")
    response = tus.send(address, 0, b"abcd")
    assert (response.status_code, response.headers["Upload-Offset"]) == (409, "4")


def test_pieces_may_come_by_post(tus):
    address = tus.begin(3)
    headers = {"Upload_Offset": 0, "X_HTTP_Method_Override": "PATCH"}
    response = tus.tus("POST", address, b"abc", "application/offset+octet-stream", **headers)
    assert (response.status_code, response.headers["Upload-Offset"]) == (204, "3")


def test_another_method_is_overridden_by_none(tus):
    address = tus.begin(3)
    assert tus.tus("HEAD", address, X_HTTP_Method_Override="DELETE").status_code == 200
    assert Upload.objects.count() == 1


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_another_users_upload_is_none(method, tus, stranger, client_of):
    address = tus.begin(3)
    eve = client_of(stranger)
    made_up = "/uploads/2c1f4c2e-5a7b-4f2e-9f0e-000000000000/"
    answers = [
        eve.tus(method, it, b"abc", "application/offset+octet-stream", Upload_Offset=0)
        for it in (address, made_up)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert Upload.objects.get().received == 0


def test_who_is_signed_out_is_told_so_and_goes_on_after_signing_in(tus, user):
    address = tus.begin(6)
    tus.send(address, 0, b"abc")
    tus.logout()
    response = tus.send(address, 3, b"def")
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Session")
    assert response.content.decode().startswith("You are signed out.")
    tus.force_login(user)
    assert tus.send(address, 3, b"def").status_code == 204


def test_a_request_of_another_site_is_refused(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "3"}
    assert client.post("/uploads/", headers=headers).status_code == 403
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Upload_Length": ""}, 400),
        ({"Upload_Length": "-1"}, 400),
        ({"Upload_Length": "+1"}, 400),
        ({"Upload_Length": "1_0"}, 400),
        ({"Upload_Length": "१"}, 400),
        ({"Upload_Length": "9" * 19}, 400),
        ({"Upload_Length": "1", "Tus_Resumable": "0.2.2"}, 412),
        ({"Upload_Length": 1024**4}, 413),
        ({"Upload_Defer_Length": "1"}, 400),
        ({"Upload_Length": "1", "Upload_Metadata": "filename ***"}, 400),
        ({"Upload_Length": "1", "Upload_Metadata": "filename YQ==,filename YQ=="}, 400),
        ({"Upload_Length": "1", "Upload_Metadata": "filename YQBi"}, 400),
        ({"Upload_Length": "1", "Upload_Metadata": "filename /w=="}, 400),
        ({"Upload_Length": "1", "Repr_Digest": "sha-256=:YQ==:"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(headers, status, tus, large_objects):
    before = large_objects()
    response = tus.tus("POST", **headers)
    assert response.status_code == status
    assert response.content.endswith(b".\n")
    assert (Upload.objects.count(), large_objects()) == (0, before)


@pytest.mark.parametrize(
    "value", ["", "filename", "filename ", "filename YQ== , type", "type YQ=="]
)
def test_a_name_may_be_missing(value, tus):
    assert tus.tus("POST", Upload_Length=1, Upload_Metadata=value).status_code == 201


def test_a_piece_says_what_it_is(tus):
    address = tus.begin(3)
    response = tus.tus("PATCH", address, b"abc", "application/json", Upload_Offset=0)
    assert response.status_code == 415


@pytest.mark.parametrize("offset", ["", "-1", "+0", "x"])
def test_a_piece_says_where_it_belongs(offset, tus):
    address = tus.begin(3)
    assert tus.send(address, offset, b"abc").status_code == 400


def test_more_than_was_promised_is_refused_before_any_of_it(tus):
    address = tus.begin(3)
    assert tus.send(address, 0, b"abcd").status_code == 413
    assert Upload.objects.get().received == 0


def test_another_content_than_was_said_is_gone(tus, large_objects):
    before = large_objects()
    digest = b64encode(hashlib.sha256(b"abc").digest()).decode()
    address = tus.begin(3, Repr_Digest=f"sha-256=:{digest}:")
    assert tus.send(address, 0, b"abd").status_code == 460
    assert (Upload.objects.count(), large_objects()) == (0, before)
    address = tus.begin(3, Repr_Digest=f"sha-256=:{digest}:")
    assert tus.send(address, 0, b"abc").status_code == 204


def test_a_user_may_stage_so_many(tus, client_of, stranger, settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_NUMBER": 2, "QUOTA_SIZE": 10}
    tus.begin(1)
    tus.begin(1)
    response = tus.tus("POST", Upload_Length=1)
    assert response.status_code == 429
    assert response.content.decode().startswith("You have 2 uploads that no form has saved.")
    client_of(stranger).begin(1)


def test_a_user_may_stage_so_much(tus, settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_NUMBER": 2, "QUOTA_SIZE": 10}
    tus.begin(6)
    assert tus.tus("POST", Upload_Length=5).status_code == 507
    tus.begin(4)


def test_a_lost_object_begins_anew(tus):
    """As after a restore without large objects."""
    address = tus.begin(6)
    tus.send(address, 0, b"abc")
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(loid) from lo_storage_uploads_upload")
    assert tus.send(address, 3, b"def").status_code == 404


def test_what_is_past_its_date_is_none(tus):
    address = tus.begin(3)
    Upload.objects.update(expires_at=timezone.now())
    assert tus.tus("HEAD", address).status_code == 404


def test_a_creation_may_bring_the_first_piece(tus, user):
    response = tus.tus("POST", data=b"abc", content_type=PIECE, Upload_Length=5)
    assert (response.status_code, response.headers["Upload-Offset"]) == (201, "3")
    address = f"/uploads/{response.headers['Location']}"
    assert tus.send(address, 3, b"de").status_code == 204
    upload = Upload.objects.get()
    assert upload.sha256 == hashlib.sha256(b"abcde").hexdigest()


def test_a_creation_that_brings_all_is_complete(tus):
    response = tus.tus("POST", data=b"abc", content_type=PIECE, Upload_Length=3)
    assert (response.status_code, response.headers["Upload-Offset"]) == (201, "3")
    assert Upload.objects.get().sha256 == hashlib.sha256(b"abc").hexdigest()


def test_a_creation_that_brings_too_much_stages_nothing(tus):
    response = tus.tus("POST", data=b"abc", content_type=PIECE, Upload_Length=2)
    assert response.status_code == 413
    assert not Upload.objects.exists()


def test_a_creation_that_breaks_off_leaves_nothing_whose_address_nobody_knows(tus, large_objects):
    before = large_objects()
    body = {"wsgi.input": BytesIO(b"abc"), "CONTENT_LENGTH": "5"}
    headers = HEADERS | {"Upload-Length": "9"}
    response = tus.generic("POST", "/uploads/", b"abc", PIECE, headers=headers, **body)
    assert response.status_code == 408
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_a_creation_that_a_full_disk_ends_leaves_nothing(tus, full_disk, large_objects):
    before = large_objects()
    assert tus.tus("POST", data=b"abc", content_type=PIECE, Upload_Length=5).status_code == 507
    assert tus.tus("POST", Upload_Length=0).status_code == 507
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_an_answer_tells_opaquely_whose_uploads_these_are(tus, client_of, stranger):
    ours = tus.options("/uploads/").headers["Upload-Owner"]
    assert tus.options("/uploads/").headers["Upload-Owner"] == ours
    assert client_of(stranger).options("/uploads/").headers["Upload-Owner"] != ours
    assert "Upload-Owner" not in type(tus)().options("/uploads/").headers
