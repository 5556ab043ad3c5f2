import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from lo_storage.templatetags.lo_storage import HIDDEN
from lo_storage.uploads import staging
from lo_storage.uploads.forms import ResumableFileField
from lo_storage.uploads.models import Upload

TITLE = {"title": "x"}


def file(content=b"content", name="scan.pdf"):
    return SimpleUploadedFile(name, content)


def kept(response):
    """The ids that the page offers to keep, with their labels."""
    found = re.findall(
        r'name="data-staged" value="([^"]+)" checked> <bdi>([^<]*)</bdi>', response.content.decode()
    )
    return dict(found)


def contents(model):
    found = []
    for row in model.objects.order_by("pk"):
        with row.data.open() as data:
            found.append(data.read())
    return found


def test_a_refused_form_keeps_its_file(tus, documents, round_trips):
    refused = tus.post("/one/", {"title": "x" * 51, "data": file()})
    ((id, name),) = kept(refused).items()
    assert name == "scan.pdf"
    assert b"required" not in refused.content.partition(b'type="file"')[2]
    with round_trips:
        assert tus.post("/one/", TITLE | {"data-staged": id}).content == b"saved"
    assert not [statement for statement in round_trips if "lo_from_bytea" in statement]
    assert contents(documents) == [b"content"]
    assert not Upload.objects.exists()


def test_what_is_chosen_anew_takes_the_place_of_what_was_kept(tus, documents):
    (id,) = kept(tus.post("/one/", {"title": "x" * 51, "data": file()}))
    refused = tus.post(
        "/one/", {"title": "x" * 51, "data": file(b"new", "new.pdf"), "data-staged": id}
    )
    ((id, name),) = kept(refused).items()
    assert name == "new.pdf"
    tus.post("/one/", TITLE | {"data-staged": id})
    assert contents(documents) == [b"new"]


def test_many_are_merged_with_what_is_new(tus, documents):
    refused = tus.post("/many/", {"data": [file(b"a", "a.pdf"), file(b"b", "b.pdf")]})
    first, second = kept(refused)
    again = tus.post("/many/", {"data": file(b"c", "c.pdf"), "data-staged": [first, second]})
    assert list(kept(again).values()) == ["a.pdf", "b.pdf", "c.pdf"]
    _, second, third = kept(again)
    tus.post("/many/", TITLE | {"data-staged": [second, third]})  # without the first
    assert contents(documents) == [b"b", b"c"]


def test_one_that_is_refused_costs_the_others_nothing(tus, documents):
    response = tus.post("/many/", TITLE | {"data": [file(b"", "empty.pdf"), file(b"a", "a.pdf")]})
    assert "empty.pdf: The submitted file is empty." in response.content.decode()
    assert "a.pdf" in kept(response).values()
    assert not documents.objects.exists()


def test_a_form_that_names_one_twice_gets_it_once(tus, documents):
    (id,) = kept(tus.post("/many/", {"data": file()}))
    tus.post("/many/", TITLE | {"data-staged": [id, id]})
    assert contents(documents) == [b"content"]


@pytest.mark.parametrize("page", ["/one/", "/many/"])
@pytest.mark.parametrize("what", ["made up", "no id", "saved", "expired", "another's"])
def test_what_is_not_there_is_told_at_its_field(what, page, tus, documents, staged, stranger):
    ids = {"made up": "2c1f4c2e-5a7b-4f2e-9f0e-000000000000", "no id": "'\x7f"}
    if what in ids:
        id = ids[what]
    else:
        id = str((staged(owner=stranger) if what == "another's" else staged()).pk)
    if what == "saved":
        tus.post("/one/", TITLE | {"data-staged": id})
    elif what == "expired":
        Upload.objects.update(expires_at=timezone.now())
    before = documents.objects.count()
    response = tus.post(page, TITLE | {"data-staged": id})
    assert "An upload is no longer here. Choose its file again." in response.content.decode()
    assert documents.objects.count() == before


def test_what_is_not_whole_is_told_and_the_others_are_kept(tus, documents, staged):
    address = tus.begin(5, "half.pdf")
    tus.send(address, 0, b"abc")
    half, whole = address.split("/")[2], str(staged().pk)
    response = tus.post("/many/", TITLE | {"data-staged": [half, whole]})
    assert "“half.pdf” has not come whole yet." in response.content.decode()
    assert list(kept(response)) == [whole]
    assert not documents.objects.exists()


def test_what_came_with_another_content_is_told_and_gone(tus, documents, user, large_objects):
    """As where a process ended between its last piece and the SHA-256."""
    before = large_objects()
    upload = staging.create("default", user, 3, "a\u202eb.pdf", "0" * 64)
    staging.append("default", upload, b"abc")
    response = tus.post("/one/", TITLE | {"data-staged": upload.pk})
    problem = "“a[U+202E]b.pdf” came with another content. Send it again."
    assert problem in response.content.decode()
    assert kept(response) == {}
    assert (documents.objects.count(), Upload.objects.count()) == (0, 0)
    assert large_objects() == before


def test_a_field_that_knows_nothing_of_it_refuses_what_is_not_there(tus, documents):
    made_up = "2c1f4c2e-5a7b-4f2e-9f0e-000000000000"
    response = tus.post("/plain/", TITLE | {"data-staged": made_up})
    assert response.content != b"saved"
    assert not documents.objects.exists()


def test_too_much_is_told_at_its_field_and_leaves_nothing(tus, documents, settings, large_objects):
    before = large_objects()
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 2 * 1024**2}
    response = tus.post("/one/", TITLE | {"data": file(b"x" * (2 * 1024**2 + 1))})
    assert "One file may have up to 2.0\xa0MB." in response.content.decode()
    assert (Upload.objects.count(), large_objects()) == (0, before)
    response = tus.post("/one/", TITLE | {"data": file(b"x" * 2 * 1024**2)})
    assert response.content == b"saved"


def test_a_quota_in_the_middle_of_a_batch_is_told_and_what_came_is_kept(tus, documents, settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_SIZE": 10}
    response = tus.post(
        "/many/", TITLE | {"data": [file(b"12345678", "a.pdf"), file(b"123", "b.pdf")]}
    )
    assert "may have 10\xa0bytes together" in response.content.decode()
    assert list(kept(response).values()) == ["a.pdf"]
    assert not documents.objects.exists()
    settings.LO_STORAGE_UPLOADS = {"QUOTA_NUMBER": 1}
    response = tus.post("/many/", TITLE | {"data": [file(b"1", "b.pdf")]})
    assert "You have 1 uploads that no form has saved." in response.content.decode()


@pytest.mark.parametrize("spelling", [str.upper, "{{{}}}".format, "urn:uuid:{}".format])
def test_one_id_in_two_spellings_is_one(spelling, tus, documents):
    (id,) = kept(tus.post("/many/", {"data": file()}))
    tus.post("/many/", TITLE | {"data-staged": [id, spelling(id)]})
    assert contents(documents) == [b"content"]


def test_what_two_fields_name_is_of_the_first(tus, documents):
    (id,) = kept(tus.post("/two/", {"title": "x" * 51, "data": file()}))
    response = tus.post("/two/", TITLE | {"data-staged": id, "scan-staged": id})
    assert "An upload is no longer here. Choose its file again." in response.content.decode()
    assert list(kept(response)) == [id]
    assert not documents.objects.exists()


def test_a_kept_upload_that_is_gone_does_not_leave_the_old_file_in_silence(tus, documents):
    document = documents.objects.create(title="x", data=file())
    made_up = "2c1f4c2e-5a7b-4f2e-9f0e-000000000000"
    response = tus.post(f"/one/{document.pk}/", TITLE | {"data-staged": made_up})
    assert "An upload is no longer here. Choose its file again." in response.content.decode()


def test_an_upload_without_a_name_is_saved(tus, documents):
    address = tus.begin(3, "..")
    tus.send(address, 0, b"abc")
    document = documents.objects.create(title="x", data=file())
    response = tus.post(f"/one/{document.pk}/", TITLE | {"data-staged": address.split("/")[2]})
    assert response.content == b"saved"
    assert contents(documents) == [b"abc"]


def test_what_the_page_does_not_offer_again_is_gone(tus, documents, large_objects):
    before = large_objects()
    assert tus.post("/read/", {"data": file(b"a,b")}).content == b"a,b"
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_a_refused_file_is_stored_by_nobody(tus, documents, settings):
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 2}
    assert tus.post("/read/", {"data": file(b"abc")}).status_code == 400
    assert tus.post("/any/", TITLE | {"data": file(b"abc")}).status_code == 400
    assert not documents.objects.exists()


def test_a_double_click_is_a_bad_request(tus, documents, monkeypatch):
    (id,) = kept(tus.post("/one/", {"title": "x" * 51, "data": file()}))
    find = staging.find

    def find_and_lose(*args):
        found = find(*args)
        Upload.objects.all().delete()
        return found

    monkeypatch.setattr(staging, "find", find_and_lose)
    assert tus.post("/one/", TITLE | {"data-staged": id}).status_code == 400
    assert not documents.objects.exists()


def test_any_number_of_fields_is_one_query(tus, documents, round_trips):
    made_up = "2c1f4c2e-5a7b-4f2e-9f0e-000000000000"
    with round_trips:
        tus.post("/one/", TITLE | {f"{number}-staged": made_up for number in range(50)})
    assert sum("_uploads_upload" in statement for statement in round_trips) == 1


def test_the_field_brings_what_sends_its_files_where_there_is_an_address_for_them(settings):
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 5000}
    field = ResumableFileField()
    page = field.widget.render("data", None)
    assert 'data-uploads="/uploads/" data-max-size="5000" data-name="data-staged"' in page
    media = str(field.widget.media)
    assert 'uploads.js" type="module"' in media
    assert media.index("tus.min.js") < media.index("uploads.js")  # which needs it
    settings.ROOT_URLCONF = "lo_storage.tests.admin.urls"
    assert "data-uploads" not in field.widget.render("data", None)
    assert str(field.widget.media) == ""


def test_the_page_shows_the_same_names_as_the_server():
    page = Path(finders.find("lo_storage/uploads/uploads.js")).read_text()
    (pattern,) = re.findall(r"^const HIDDEN = /(.+)/g;$", page, re.MULTILINE)
    hidden = [code for code in range(0x10000) if HIDDEN.match(chr(code))]
    assert [code for code in range(0x10000) if re.match(pattern, chr(code))] == hidden
