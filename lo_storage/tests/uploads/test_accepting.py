"""What gets in, whichever way a row takes it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.uploads import staging
from lo_storage.uploads.files import StagedFile
from lo_storage.uploads.models import Upload

from . import hooks
from .test_forms import TITLE, contents, file, kept

ACCEPT, SCAN = (f"lo_storage.tests.uploads.hooks.{name}" for name in ("accept", "scan"))
VIRUS = "The virus “Eicar” was found in it, so it was deleted. Choose another file."
AWAY = "“scan.pdf” could not be checked for viruses now. It is kept: try again in a moment."


@pytest.fixture(autouse=True)
def configured(settings):
    settings.LO_STORAGE_UPLOADS = {"ACCEPT": [ACCEPT], "SCAN": SCAN}
    hooks.begin()


def sent(tus, content=b"content", name="scan.pdf"):
    """Send it in pieces; return the last answer, and the id."""
    address = tus.begin(len(content), name)
    return tus.send(address, 0, content), address.split("/")[2]


def by_form(tus, address="/one/", **data):
    return tus.post(address, TITLE | data)


def test_the_hooks_see_a_file_and_its_owner_once(tus, user, documents):
    (id,) = kept(tus.post("/one/", {"title": "x" * 51, "data": file()}))
    assert by_form(tus, **{"data-staged": id}).content == b"saved"
    assert hooks.asked == [
        ("accept", "scan.pdf", b"content", 7, user.pk),
        ("scan", "scan.pdf", b"content"),
    ]
    assert contents(documents) == [b"content"]


def test_what_came_in_pieces_was_asked_about_before_the_form(tus, documents):
    answer, id = sent(tus)
    assert answer.status_code == 204
    assert [name for name, *_ in hooks.asked] == ["accept", "scan"]
    assert by_form(tus, **{"data-staged": id}).content == b"saved"
    assert len(hooks.asked) == 2


@pytest.mark.parametrize("page", ["/one/", "/many/"])
@pytest.mark.parametrize("hook", ["accept", "scan"])
def test_what_a_hook_refuses_is_told_at_its_field_and_is_gone(
    hook, page, tus, documents, large_objects
):
    before = large_objects()
    hooks.says[hook] = "Eicar"
    response = by_form(tus, page, data=file())
    sentence = VIRUS if hook == "scan" else "Eicar"
    assert f"<li>scan.pdf: {sentence}</li>" in response.content.decode()
    assert kept(response) == {}
    assert (Upload.objects.count(), documents.objects.count()) == (0, 0)
    assert large_objects() == before


def test_of_several_the_others_are_kept(tus, documents):
    (id,) = kept(tus.post("/many/", {"data": file(b"a", "a.pdf")}))
    hooks.says["scan"] = "Eicar"
    response = by_form(tus, "/many/", **{"data-staged": id, "data": file()})
    assert VIRUS in response.content.decode()
    assert list(kept(response)) == [id]
    assert not documents.objects.exists()


@pytest.mark.parametrize("length", [7, 0])
def test_what_came_in_pieces_and_is_refused_is_told_by_its_last_answer(length, tus, large_objects):
    before = large_objects()
    hooks.says["scan"] = "Eicar"
    if length:
        answer, id = sent(tus)
    else:
        answer = tus.tus("POST", Upload_Length=0, Upload_Metadata="filename c2Nhbi5wZGY=")
        id = None
    assert (answer.status_code, answer.content.decode()) == (422, f"scan.pdf: {VIRUS}\n")
    assert id is None or tus.tus("HEAD", f"/uploads/{id}/").status_code == 404
    assert (Upload.objects.count(), large_objects()) == (0, before)


@pytest.mark.parametrize("page", ["/one/", "/many/"])
@pytest.mark.parametrize("in_pieces", [True, False])
def test_while_the_scanner_is_away_a_file_is_held_back_and_kept(in_pieces, page, tus, documents):
    hooks.says["scan"] = ConnectionRefusedError()
    if in_pieces:
        answer, id = sent(tus)
        assert answer.status_code == 204  # It has come whole.
        response = by_form(tus, page, **{"data-staged": id})
    else:
        response = by_form(tus, page, data=file())
    assert AWAY in response.content.decode()
    assert not documents.objects.exists()
    ((id, name),) = kept(response).items()
    assert name == "scan.pdf"
    again = by_form(tus, page, **{"data-staged": id})
    assert list(kept(again)) == [id]
    del hooks.says["scan"]
    assert by_form(tus, page, **{"data-staged": id}).content == b"saved"
    assert contents(documents) == [b"content"]


def test_a_field_that_knows_nothing_of_it_gets_nothing_either(tus, documents):
    hooks.says["scan"] = TimeoutError()
    for page in ("/plain/", "/any/"):
        assert by_form(tus, page, data=file()).content != b"saved"
    assert tus.post("/read/", {"data": file(b"a,b")}).status_code == 400
    assert not documents.objects.exists()
    assert not Upload.objects.exists()  # No page offers it again.


def test_no_statement_of_the_hooks_is_in_a_transaction(tus, documents, monkeypatch):
    seen = []
    monkeypatch.setattr(hooks, "scan", lambda file: seen.append(connection.in_atomic_block))
    by_form(tus, data=file())
    assert seen == [False]


def never_asked(staged):
    return staged()


def let_in_by_others(staged):
    upload = staged()
    Upload.objects.update(let_in_by="once.a.scanner")
    return upload


@pytest.mark.parametrize("upload_of", [never_asked, let_in_by_others])
def test_no_row_takes_what_the_hooks_have_not_seen(upload_of, documents, staged):
    upload = upload_of(staged)
    upload.let_in_by = f"{ACCEPT} {SCAN}"  # The row decides.
    with pytest.raises(staging.UploadGone, match="was not let in"):
        documents.objects.create(title="x", data=StagedFile("default", upload))
    assert (documents.objects.count(), LargeObject.objects.count()) == (0, 0)
    assert Upload.objects.count() == 1


def test_nothing_is_copied_to_another_database_that_the_hooks_have_not_seen(staged):
    with pytest.raises(staging.UploadGone):
        StagedFile("default", staged()).adopt("another", "scan.pdf")


def test_without_hooks_everything_gets_in(documents, staged, settings):
    settings.LO_STORAGE_UPLOADS = {}
    documents.objects.create(title="x", data=StagedFile("default", staged()))
    assert contents(documents) == [b"content"]


@pytest.mark.parametrize("hook", ["accept", "scan"])
def test_what_is_gone_before_a_hook_has_read_it_is_told(hook, tus, documents, staged, monkeypatch):
    id = str(staged().pk)

    def expire(file):
        Upload.objects.all().delete()
        file.read()

    monkeypatch.setattr(hooks, hook, expire)
    response = by_form(tus, **{"data-staged": id})
    assert "An upload is no longer here. Choose its file again." in response.content.decode()


def test_a_hook_may_close_the_file(tus, documents, monkeypatch):
    def accept(file):
        with file.open() as opened:
            opened.read()

    monkeypatch.setattr(hooks, "accept", accept)
    assert by_form(tus, data=SimpleUploadedFile("a.pdf", b"a")).content == b"saved"
