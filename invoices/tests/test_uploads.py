"""Limits, names, and batches that are all or nothing."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.template.defaultfilters import filesizeformat as shown

from invoices.models import Invoice
from lo_storage.models import LargeObject
from lo_storage.templatetags.lo_storage import visible

from .conftest import (
    again,
    content_of,
    downloaded,
    large_objects,
    multipart,
    replace,
    shows,
    staged,
    upload,
)

pytestmark = pytest.mark.django_db(transaction=True)


FILE, BATCH = shown(2048), shown(3072)


class TestLimits:
    @pytest.fixture(autouse=True)
    def limits(self, settings):
        settings.LO_STORAGE_UPLOADS = {**settings.LO_STORAGE_UPLOADS, "MAX_SIZE": 2048}
        settings.UPLOAD_MAX_BATCH_SIZE = 3072
        settings.UPLOAD_MAX_BATCH_FILES = 3

    def test_files_as_large_as_the_limits_are_taken(self, alice, signed_in):
        upload(signed_in(alice), ("a.pdf", b"x" * 2048), ("b.pdf", b"x" * 1024))
        sizes = LargeObject.objects.values_list("size", flat=True)
        assert sorted(sizes) == [1024, 2048]

    @pytest.mark.parametrize(
        ("sizes", "messages"),
        [
            (
                [2049],
                [f"0.pdf: The file is too large. One file may have up to {FILE}."],
            ),
            ([1, 0], ["1.pdf: The file is empty, so there is no invoice in it."]),
            (
                [0, 1, 5000],
                [
                    "0.pdf: The file is empty, so there is no invoice in it.",
                    f"2.pdf: The file is too large. One file may have up to {FILE}.",
                ],
            ),
            (
                [2048, 1025],
                [f"Together they are {shown(3073)} large. One upload may have up to {BATCH}."],
            ),
            ([1, 1, 1, 1], ["These are 4 files. One upload may have up to 3."]),
        ],
    )
    def test_beyond_one_nothing_is_written_and_each_problem_names_its_file(
        self, sizes, messages, alice, signed_in
    ):
        before = large_objects()
        files = [(f"{n}.pdf", b"x" * size) for n, size in enumerate(sizes)]
        page = upload(signed_in(alice), *files)
        assert page.status_code == 200
        assert page.context["form"].errors == {"files": messages}
        assert not Invoice.objects.exists()
        assert large_objects() == before

    def test_hold_for_a_replacement(self, alice, invoice_of, signed_in):
        page = replace(signed_in(alice), invoice_of(alice), "new.pdf", b"x" * 2049)
        assert shows(page, f"The file is too large. One file may have up to {FILE}.")

    def test_what_is_too_large_is_not_kept(self, alice, signed_in):
        page = upload(signed_in(alice), ("a.pdf", b"x" * 1_000_000), ("b.pdf", b"x"))
        assert shows(page, "a.pdf: The file is too large.")
        assert staged() == ["b.pdf"]

    def test_more_files_than_django_parses_get_a_sentence(self, alice, signed_in):
        page = upload(signed_in(alice), *[(f"{n}.pdf", b"x") for n in range(101)])
        assert page.status_code == 413
        assert shows(page, f"One upload may have up to 3 files, {BATCH} together.")

    def test_a_body_that_is_no_form_gets_a_sentence(self, alice, signed_in):
        page = signed_in(alice).post(
            "/upload/", b"x" * 9, content_type="multipart/form-data; boundary="
        )
        assert page.status_code == 400


NAMES = [
    "Rechnung März.pdf",
    "счёт № 5.pdf",
    "請求書.pdf",
    "e\u0301.pdf",
    "👨‍👩‍👧.pdf",
    "می‌خواهم.pdf",
    "Screenshot at 3.45.12\u202fPM.png",
    'the "big" one.pdf',
    "it's;=,*%.pdf",
    "two\nlines.pdf",
    "two\r\nlines.pdf",
    "no extension",
    ".hidden",
    "archive.tar.gz",
    "2 final.v2.2 (copy).pdf",
    "trailing dot.",
    "long suffix." + "ä" * 240,
    "many" + ".dots" * 50,
    "a" * 251 + ".pdf",
    "n" * 300 + ".pdf",
    "<script>alert(1)</script>.pdf".replace("/", ""),
    "&amp;.pdf",
    "100%.pdf",
    "=1+1.csv",
    " spaces .pdf",
    "CON",
    "\u202egpj.exe",
]


class TestNames:
    @pytest.mark.parametrize("name", NAMES)
    def test_the_original_name_is_kept_and_comes_back(self, name, alice, signed_in):
        client = signed_in(alice)
        upload(client, (name, b"content"))
        invoice = Invoice.objects.get()
        assert invoice.data.entry.original_name == name
        for page in ["/", f"/{invoice.pk}/", f"/{invoice.pk}/replace/", f"/{invoice.pk}/delete/"]:
            assert shows(client.get(page), visible(name))
        response = client.get(f"{invoice.data.url}?download")
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert downloaded(response) == b"content"

    @pytest.mark.parametrize("name", ["/etc/passwd", "..\\..\\passwd", "C:\\docs\\passwd"])
    def test_a_path_is_cut_to_its_last_part(self, name, alice, signed_in):
        upload(signed_in(alice), (name, b"content"))
        assert Invoice.objects.get().data.entry.original_name == "passwd"

    @pytest.mark.parametrize("name", ["", ".", ".."])
    def test_what_is_no_name_is_no_file(self, name, alice, signed_in):
        assert shows(upload(signed_in(alice), (name, b"content")), "Choose at least one file.")

    @pytest.mark.parametrize(
        ("name", "title", "kind"),
        [
            ("Dr. Ferreira - HIV test of Alice.pdf", "Dr. Ferreira - HIV test of Alice", "PDF"),
            ("supplemental Letter (H.K.) Limited", "supplemental Letter (H.K.) Limited", "file"),
            ("scan.2026-11-28", "scan.2026-11-28", "file"),
            ("backup.tar.gz", "backup", "TAR.GZ"),
        ],
    )
    def test_title_and_kind_are_those_of_the_stored_name(self, name, title, kind, alice, signed_in):
        upload(signed_in(alice), (name, b"content"))
        invoice = Invoice.objects.get()
        assert (invoice.title, invoice.kind) == (title, kind)

    def test_a_title_is_made_of_what_can_stand_in_one(self, alice, signed_in):
        upload(signed_in(alice), ("two\nlines  of.it.pdf", b"x"), ("t" * 250, b"x"), (" ", b"x"))
        titles = Invoice.objects.order_by("pk").values_list("title", flat=True)
        assert list(titles) == ["two lines of.it", "t" * 200, "Untitled"]

    def test_one_longer_than_any_disk_takes_is_refused(self, alice, signed_in):
        page = upload(signed_in(alice), ("n" * 100_000 + ".pdf", b"x"))
        assert (page.status_code, shows(page, "Nothing was changed")) == (400, True)
        assert not Invoice.objects.exists()

    def test_a_replacement_has_its_own_name(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice)
        replace(signed_in(alice), invoice, "l" * 200 + ' "x".PDF', b"new")
        assert Invoice.objects.get().data.entry.original_name == "l" * 200 + ' "x".PDF'


class TestFilesThatLie:
    @pytest.mark.parametrize(
        ("name", "content", "content_type"),
        [
            ("archive.pdf", b"PK\x03\x04" + bytes(100), "application/pdf"),
            ("page.png", b"<html><script>alert(1)</script>", "image/png"),
            ("program.txt", b"MZ\x90\0", "text/plain"),
            ("scan.html", b"\x89PNG\r\n\x1a\n", "application/octet-stream"),
            ("invoice.pdf.exe", b"%PDF-1.4", "application/octet-stream"),
            ("page.php.jpg", b"<?php phpinfo() ?>", "image/jpeg"),
        ],
    )
    def test_one_is_kept_byte_for_byte_and_sent_as_what_its_name_says(
        self, name, content, content_type, alice, signed_in
    ):
        # What the browser says of the type is as little believed as what the content looks like.
        file = SimpleUploadedFile(name, content, content_type="text/html")
        client = signed_in(alice)
        client.post("/upload/", {"files": file, "issued": "2026-03-02"})
        answer = client.get(Invoice.objects.get().data.url)
        assert downloaded(answer) == content
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert policy.endswith("; sandbox") == (content_type != "application/pdf")
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


class TestAllOrNothing:
    FILES = [("a.pdf", b"a"), ("b.pdf", b"b" * 2_000_000), ("c.pdf", b"c")]

    def assert_nothing(self, page, before, message):
        assert page.status_code == 200
        assert shows(page, message)
        assert not Invoice.objects.exists()
        assert large_objects() == before

    def test_one_that_is_invalid_stops_the_others(self, alice, signed_in):
        before = large_objects()
        page = upload(signed_in(alice), *self.FILES, ("empty.pdf", b""))
        self.assert_nothing(page, before, "empty.pdf: The file is empty")

    def test_what_the_database_refuses_at_once_undoes_all(self, alice, signed_in, monkeypatch):
        before = large_objects()
        monkeypatch.setattr("invoices.models.InvoiceQuerySet.next_number", lambda *args: "1")
        page = upload(signed_in(alice), *self.FILES)
        self.assert_nothing(page, before, "You have another invoice with this number.")

    def test_what_the_database_refuses_only_at_commit_undoes_all(
        self, alice, signed_in, refusing_at_commit
    ):
        before = large_objects()
        page = upload(signed_in(alice), *self.FILES)
        self.assert_nothing(page, before, "The database refused this")

    def test_a_delete_refused_at_commit_keeps_row_and_file(
        self, alice, invoice_of, signed_in, naming
    ):
        invoice = invoice_of(alice)
        naming(invoice.data.name)
        page = signed_in(alice).post(f"/{invoice.pk}/delete/")
        assert shows(page, "Nothing was saved")
        assert content_of(Invoice.objects.get()) == b"content"

    @pytest.fixture
    def naming(self, transactional_db):
        """Let a table that the receivers do not know name a file."""
        with connection.cursor() as cursor:
            cursor.execute("""
                create table naming (
                    data text references lo_storage_largeobject (name) deferrable initially deferred
                )
            """)
            yield lambda name: cursor.execute("insert into naming values (%s)", [name])
            cursor.execute("drop table naming")

    @pytest.fixture
    def refusing_at_commit(self, transactional_db):
        """A rule that a database administrator might add: one that is checked at COMMIT."""
        with connection.cursor() as cursor:
            cursor.execute("""
                create function refuse() returns trigger language plpgsql as $$
                begin
                    raise integrity_constraint_violation using message = 'not today';
                end $$;
                create constraint trigger refuse after insert on invoices_invoice
                    deferrable initially deferred for each row execute function refuse();
            """)
        yield
        with connection.cursor() as cursor:
            cursor.execute("drop trigger refuse on invoices_invoice; drop function refuse")


@pytest.mark.parametrize("address", ["/upload/", "/admin/invoices/invoice/add/"])
def test_no_upload_comes_to_the_disk_of_the_site(
    address, alice, signed_in, settings, monkeypatch, tmp_path
):
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "nowhere"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    content = bytes(2 * settings.FILE_UPLOAD_MAX_MEMORY_SIZE)
    fields = {"owner": alice.pk, "number": "1", "title": "Rent", "issued": "2026-03-02"}
    files = [(name, "a.bin", content) for name in ["files", "data"]]
    answer = signed_in(alice).post(address, **multipart(files, **fields))
    assert answer.status_code == 302
    assert content_of(Invoice.objects.get()) == content


@pytest.mark.parametrize("end", [b"c" * 50, b"\r\n--limit\r\n", b"2026-03-0"])
def test_an_upload_that_breaks_off_leaves_nothing(end, alice, signed_in):
    """Django takes for the whole what a browser sent before it went away."""
    before = large_objects()
    files = [("files", name, name.encode() * 100) for name in "abc"]
    body = multipart(files)["data"].removesuffix(b"--limit--\r\n")
    body += b'--limit\r\nContent-Disposition: form-data; name="issued"\r\n\r\n2026-03-02\r\n'
    body += b"--limit--\r\n"
    came = body[: body.index(end) + len(end)]
    form = "multipart/form-data; boundary=limit"
    answer = signed_in(alice).post("/upload/", body, form, **{"wsgi.input": BytesIO(came)})
    assert answer.status_code == 400
    assert not Invoice.objects.exists()
    assert large_objects() == before


def test_an_upload_that_breaks_off_within_a_file_leaves_nothing(alice, signed_in):
    files = [("files", name, name.encode() * 100) for name in "abc"]
    form = multipart(files, issued="2026-03-02")
    form["data"] = form["data"][:-50]
    assert signed_in(alice).post("/upload/", **form).status_code == 400
    assert not Invoice.objects.exists()


def test_uploads_at_the_same_time_get_different_numbers(alice, signed_in):
    client = signed_in(alice)

    def send(name):
        response = upload(client, *[(f"{name}{n}.pdf", f"{name}{n}".encode()) for n in range(5)])
        connection.close()  # That of this thread.
        return response.status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, "abcd")) == {302}
    numbers = Invoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [f"2026-{n:04}" for n in range(1, 21)]


def test_a_form_without_a_file_part_is_an_empty_form(alice, signed_in):
    page = signed_in(alice).post("/upload/", **multipart([], issued="2026-01-02"))
    assert shows(page, "Choose at least one file.")


class TestAFormThatIsSentTwice:
    FILES = [("a.pdf", b"a"), ("b.pdf", b"b" * 3_000_000)]

    def test_is_saved_once_and_gets_the_first_answer_again(self, alice, signed_in):
        client, before = signed_in(alice), large_objects()
        for files in [self.FILES[:1], self.FILES]:
            token = uuid4()
            Invoice.objects.all().delete()  # which had one of the files
            first, second = (upload(client, *files, token=token) for _ in range(2))
            assert (first.status_code, first.url) == (second.status_code, second.url)
            assert Invoice.objects.count() == large_objects() - before == len(files)

    def test_at_the_same_time_is_saved_once(self, alice, signed_in):
        client, token = signed_in(alice), uuid4()

        def send(_):
            response = upload(client, *self.FILES, token=token)
            connection.close()  # That of this thread.
            return response.status_code

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(send, range(4))) == {302}
        assert Invoice.objects.count() == 2

    @pytest.mark.parametrize(
        ("files", "fields"),
        [
            ([("a.pdf", b"A")], {}),
            ([("A.pdf", b"a")], {}),
            ([("a.pdf", b"a"), ("b.pdf", b"b")], {}),
            ([("a.pdf", b"a")], {"title": "Rent"}),
            ([("a.pdf", b"a")], {"amount": "1"}),
            ([("a.pdf", b"a")], {"issued": "2026-03-03"}),
        ],
    )
    def test_with_anything_else_in_it_is_another(self, files, fields, alice, signed_in):
        """Who goes back in the browser, and chooses another file, has the same form."""
        client, token = signed_in(alice), uuid4()
        upload(client, ("a.pdf", b"a"), token=token)
        page = upload(client, *files, token=token, **fields)
        if page.status_code == 200:  # "You have this file already."
            page = again(client, page, token=token, **fields)
        assert page.status_code == 302
        assert Invoice.objects.count() == 1 + len(files)

    def test_by_another_person_is_another(self, alice, bob, signed_in):
        token = uuid4()
        for user in [alice, bob]:
            upload(signed_in(user), ("a.pdf", b"a"), token=token)
            assert user.invoices.count() == 1

    def test_after_it_was_refused_is_saved(self, alice, signed_in):
        client, token = signed_in(alice), uuid4()
        assert upload(client, ("a.pdf", b"a"), token=token, amount="-1").status_code == 200
        assert upload(client, ("a.pdf", b"a"), token=token, amount="1").status_code == 302

    def test_whose_invoice_is_deleted_is_saved_again(self, alice, signed_in):
        client, token = signed_in(alice), uuid4()
        upload(client, ("a.pdf", b"a"), token=token)
        Invoice.objects.all().delete()
        upload(client, ("a.pdf", b"a"), token=token)
        assert Invoice.objects.count() == 1

    def test_keeps_its_token_when_it_is_shown_again(self, alice, signed_in):
        client, token = signed_in(alice), uuid4()
        assert f'name="token" value="{token}"' in upload(client, token=token).content.decode()
        opened = [client.get("/upload/").context["form"]["token"].value() for _ in range(2)]
        assert opened[0] != opened[1]


def test_two_deletions_at_the_same_time_are_one(alice, invoice_of, signed_in):
    client, invoice = signed_in(alice), invoice_of(alice)

    def send(_):
        response = client.post(f"/{invoice.pk}/delete/")
        connection.close()  # That of this thread.
        return response.status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(4))) <= {302, 404}
    assert not Invoice.objects.exists()
