"""Each file of a batch has a row of its own, and the batch is all or nothing."""

import datetime

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from invoices.batches import date_of
from invoices.models import Invoice
from lo_storage.uploads.models import Upload

from .conftest import again, content_of, downloaded, multipart, shows, stage, staged, upload

pytestmark = pytest.mark.django_db(transaction=True)


def send(client, rows, **fields):
    """Send a form with these rows: the id of each upload, and what is typed for it."""
    for id, row in rows.items():
        typed = {"title": "", "number": "", "amount": "", "issued": "", **row}
        fields |= {f"{id}-{name}": value for name, value in typed.items()}
    return client.post("/upload/", {"files-staged": list(rows), **fields})


def saved():
    rows = Invoice.objects.order_by("number")
    return [(row.number, row.title, str(row.amount), str(row.issued)) for row in rows]


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("Rent 2026-03-31.pdf", datetime.date(2026, 3, 31)),
        ("20260331_scan.pdf", datetime.date(2026, 3, 31)),
        ("2026_03_31 and 20260331.pdf", datetime.date(2026, 3, 31)),
        ("2026-03-31 to 2026-04-30.pdf", None),
        ("2026-02-30.pdf", None),
        ("120260331.pdf", None),
        ("2026-0331.pdf", None),
        ("2026-03.pdf", None),
    ],
)
def test_a_date_is_taken_from_a_name_that_has_one(name, date):
    assert date_of(name) == date


class TestRows:
    def test_each_has_its_own_and_else_what_holds_for_all(self, alice, signed_in):
        ids = [stage(alice, f"{n}.pdf", b"%d" % n) for n in range(3)]
        rows = [
            {"title": "Rent", "amount": "1.50", "issued": "2026-03-31"},
            {"number": "RE 7"},
            {"title": "Power"},
        ]
        fields = {"title": "", "amount": "7", "issued": "2025-01-02"}
        answer = send(signed_in(alice), dict(zip(ids, rows, strict=True)), **fields)
        assert answer.status_code == 302
        assert saved() == [
            ("2025-0001", "Power", "7.00", "2025-01-02"),
            ("2026-0001", "Rent", "1.50", "2026-03-31"),
            ("RE 7", "1", "7.00", "2025-01-02"),
        ]

    def test_what_is_not_said_is_in_the_name_or_today(self, alice, signed_in):
        upload(signed_in(alice), ("a 2024-12-31.pdf", b"a"), ("b.pdf", b"b"), issued="")
        today = datetime.date.today()
        assert [row[1:] for row in saved()] == [
            ("a 2024-12-31", "None", "2024-12-31"),
            ("b", "None", str(today)),
        ]

    def test_a_mistake_in_one_is_told_at_its_field_and_keeps_the_others(self, alice, signed_in):
        client = signed_in(alice)
        ids = [stage(alice, f"{n}.pdf", b"%d" % n) for n in range(2)]
        page = send(client, {ids[0]: {"title": "Rent"}, ids[1]: {"amount": "a lot"}})
        form = page.context["form"]
        assert [list(row.errors) for row in form.rows] == [[], ["amount"]]
        assert shows(page, "Look at “1.pdf”. No file has to be sent again.")
        assert f'name="{ids[0]}-title" value="Rent"' in page.content.decode()
        assert not Invoice.objects.exists()
        assert send(client, {ids[0]: {"title": "Rent"}, ids[1]: {"amount": "2"}}).status_code == 302
        assert [row[1] for row in saved()] == ["Rent", "1"]

    def test_a_name_that_hides_its_end_is_shown_as_it_is(self, alice, signed_in, settings):
        name, shown = "letter\u202efdp.exe", "letter[U+202E]fdp.exe"
        page = send(signed_in(alice), {stage(alice, name, b"y"): {"amount": "a lot"}})
        assert shows(page, f"Look at “{shown}”. No file has to be sent again.")
        settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 1}
        page = upload(signed_in(alice), (name, b"xy"))
        (problem,) = page.context["form"].errors["files"]
        assert problem.startswith(f"{shown}: The file is too large.")

    def test_a_refusal_names_its_file_once(self, alice, signed_in, settings):
        settings.LO_STORAGE_UPLOADS = {"ACCEPT": ["config.accepting.fits_its_name"]}
        page = upload(signed_in(alice), ("letter\u202exfdp.pdf", b"MZ"))
        (problem,) = page.context["form"].errors["files"]
        assert problem.count("letter") == 1
        assert problem.startswith("letter[U+202E]xfdp.pdf: It is called .pdf")

    def test_a_number_that_is_taken_is_told_at_its_row(self, alice, invoice_of, signed_in):
        invoice_of(alice, number="7")
        ids = [stage(alice, f"{n}.pdf", b"%d" % n) for n in range(3)]
        rows = [{"number": "7"}, {"number": "8"}, {"number": "8"}]
        page = send(signed_in(alice), dict(zip(ids, rows, strict=True)))
        taken = {"number": ["You have another invoice with this number."]}
        assert [row.errors for row in page.context["form"].rows] == [taken] * 3

    def test_a_number_that_was_typed_is_proposed_to_no_other(self, alice, signed_in):
        ids = [stage(alice, f"{n}.pdf", b"%d" % n) for n in range(2)]
        rows = {ids[0]: {}, ids[1]: {"number": "2026-0001"}}
        assert send(signed_in(alice), rows, issued="2026-01-01").status_code == 302
        assert {row[0] for row in saved()} == {"2026-0001", "2026-0002"}

    def test_without_script_they_come_with_the_page_that_was_refused(self, alice, signed_in):
        client = signed_in(alice)
        page = upload(client, ("Rent 2026-03-31.pdf", b"a"), amount="-1", issued="")
        (row,) = page.context["form"].rows
        assert (row["title"].value(), row["issued"].value()) == (
            "Rent 2026-03-31",
            datetime.date(2026, 3, 31),
        )
        assert again(client, page, amount="1").status_code == 302

    def test_an_upload_of_another_user_has_none(self, alice, bob, signed_in):
        id = stage(bob, "bobs.pdf", b"x")
        page = send(signed_in(alice), {id: {"title": "Mine"}})
        assert shows(page, "An upload is no longer here. Choose its file again.")
        assert not shows(page, "bobs.pdf")
        assert staged() == ["bobs.pdf"]

    def test_an_upload_that_is_named_twice_is_one(self, alice, signed_in):
        id = stage(alice, "a.pdf", b"a")
        signed_in(alice).post("/upload/", {"files-staged": [id, id]})
        assert Invoice.objects.count() == 1


class TestAFileThatIHave:
    SAID = "You have this file already"

    def test_is_told_before_it_is_saved_and_then_saved(self, alice, invoice_of, signed_in):
        mine, client = invoice_of(alice, b"same", title="March rent"), signed_in(alice)
        page = upload(client, ("again.pdf", b"same"), ("new.pdf", b"new"))
        assert shows(page, self.SAID)
        assert f'href="{mine.get_absolute_url()}"' in page.content.decode()
        assert Invoice.objects.count() == 1
        assert again(client, page).status_code == 302
        assert Invoice.objects.count() == 3

    def test_nobody_is_told_of_what_others_have(self, alice, bob, invoice_of, signed_in):
        invoice_of(bob, b"same")
        assert upload(signed_in(alice), ("a.pdf", b"same")).status_code == 302
        id = stage(alice, "a.pdf", b"same")
        Invoice.objects.filter(owner=alice).delete()
        assert not shows(signed_in(alice).get(f"/staged/?id={id}"), self.SAID)

    def test_is_told_as_soon_as_it_has_come(self, alice, invoice_of, signed_in):
        invoice_of(alice, b"same")
        id = stage(alice, "a.pdf", b"same")
        assert shows(signed_in(alice).get(f"/staged/?id={id}"), self.SAID)


class TestWhatWaits:
    def test_is_served_as_a_file_of_a_row_is(self, alice, invoice_of, signed_in):
        client, content = signed_in(alice), bytes(range(256)) * 12_000
        for name in ["a.pdf", "b.png", "c.svg", "d.html", "e.txt", "f.mp4"]:
            answer = client.get(f"/staged/{stage(alice, name, content)}/file")
            assert downloaded(answer) == content
            row = client.get(invoice_of(alice, content, name).data.url)
            headers = ["Content-Type", "Content-Security-Policy", "Cache-Control", "Repr-Digest"]
            headers += ["X-Content-Type-Options", "X-Frame-Options", "Content-Disposition"]
            assert [answer.headers[h] for h in headers] == [row.headers[h] for h in headers]

    def test_is_served_in_part(self, alice, signed_in):
        id = stage(alice, "a.mp4", bytes(range(100)))
        answer = signed_in(alice).get(f"/staged/{id}/file", headers={"Range": "bytes=10-19"})
        assert (answer.status_code, downloaded(answer)) == (206, bytes(range(10, 20)))

    def test_is_served_piece_by_piece_under_asgi(self, alice):
        content = bytes(range(256)) * 12_000
        address = f"/staged/{stage(alice, 'a.pdf', content)}/file"
        client = AsyncClient()
        client.force_login(alice)

        async def read():
            answer = await client.get(address)
            return [piece async for piece in answer]

        pieces = async_to_sync(read)()
        assert b"".join(pieces) == content
        assert len(pieces) > 1

    def test_is_shown_to_its_owner_alone(self, alice, bob, signed_in):
        id = stage(bob, "a.pdf", b"x")

        def is_shown(user):
            client = signed_in(user)
            file = client.get(f"/staged/{id}/file").status_code == 200
            assert shows(client.get(f"/staged/?id={id}"), str(id)) is file
            return file

        assert (is_shown(bob), is_shown(alice)) == (True, False)
        Upload.objects.update(received=0)
        assert not is_shown(bob)
        Upload.objects.update(received=1)  # or its object would outlive the row

    def test_of_many_is_asked_by_one_question(
        self, alice, signed_in, django_assert_max_num_queries
    ):
        client = signed_in(alice)
        ids = [stage(alice, f"{n}.pdf", b"%d" % n) for n in range(20)]
        address = f"/staged/?{'&'.join(f'id={id}' for id in ids)}"
        with django_assert_max_num_queries(6):
            page = client.get(address)
        assert page.content.decode().count("<template") == 20
        assert client.get("/staged/?id=none").status_code == 404
        assert client.get("/staged/").content == b""

    def test_stands_beside_the_old_file_until_it_is_confirmed(self, alice, invoice_of, signed_in):
        invoice, client = invoice_of(alice, b"old"), signed_in(alice)
        form = multipart([("data", "new.pdf", b"new")])
        page = client.post(f"/{invoice.pk}/replace/", **form)
        assert shows(page, "Nothing was replaced yet.")
        id = page.context["form"].new_file().id
        assert shows(page, invoice.data.url)
        assert shows(page, f"/staged/{id}/file")
        assert content_of(Invoice.objects.get()) == b"old"
        client.post(f"/{invoice.pk}/replace/", {"data-staged": id, "seen": id})
        assert content_of(Invoice.objects.get()) == b"new"
        assert staged() == []
