"""What each page shows and does, for its owner."""

import datetime
import hashlib

import pytest
from django.core.validators import DecimalValidator
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext

from invoices.models import Invoice

from .conftest import content_of, downloaded, large_objects, replace, shows, upload

pytestmark = pytest.mark.django_db(transaction=True)


class TestList:
    def test_shows_what_the_catalogue_knows_of_each_file(self, alice, invoice_of, signed_in):
        invoice_of(alice, b"x" * 3000, name="March rent.pdf", title="Flat", amount="1276.5")
        page = signed_in(alice).get("/")
        for text in [
            "2026-0001",
            "Flat",
            "€1,276.50",
            "March rent.pdf",
            "PDF",
            filesizeformat(3000),
        ]:
            assert shows(page, text)
        assert shows(page, hashlib.sha256(b"x" * 3000).hexdigest())

    def test_costs_the_same_queries_however_many_invoices_there_are(
        self, alice, invoice_of, signed_in, django_assert_num_queries
    ):
        client = signed_in(alice)
        for _ in range(19):
            invoice_of(alice)
        # Session, user, how many there are, one page of them, the balance at the foot.
        with django_assert_num_queries(5):
            client.get("/")

    def test_is_cut_into_pages_which_keep_the_search(self, alice, invoice_of, signed_in):
        for n in range(41):
            invoice_of(alice, title=f"Rent {n}", issued=datetime.date(2026, 1, 1))
        client = signed_in(alice)
        page = client.get("/", {"q": "rent", "page": "2"})
        assert shows(page, "Page 2 of 3")
        assert [invoice.title for invoice in page.context["page"]] == [
            f"Rent {n}" for n in range(20, 0, -1)
        ]
        assert shows(page, "?q=rent&page=3")

    @pytest.mark.parametrize("number", ["0", "99", "-1", "x", ""])
    def test_an_impossible_page_is_one_that_exists(self, number, alice, invoice_of, signed_in):
        invoice_of(alice)
        assert shows(signed_in(alice).get("/", {"page": number}), "2026-0001")

    @pytest.mark.parametrize("q", ["0001", "FLAT", "scan", "flat scan", "pdf 2026"])
    def test_search_finds_number_title_and_file_name(self, q, alice, invoice_of, signed_in):
        invoice_of(alice, name="Scan.pdf", title="The flat", issued=datetime.date(2026, 1, 1))
        invoice_of(alice, name="other.txt", title="Other")
        page = signed_in(alice).get("/", {"q": q})
        assert [invoice.title for invoice in page.context["page"]] == ["The flat"]

    @pytest.mark.parametrize("q", ["%", "_", "flat nothing", "\\", "'"])
    def test_search_takes_each_character_for_itself(self, q, alice, invoice_of, signed_in):
        invoice_of(alice, title="The flat")
        assert shows(signed_in(alice).get("/", {"q": q}), f"No invoice has “{q}”")

    def test_search_for_what_no_text_can_hold_is_told(self, alice, invoice_of, signed_in):
        page = signed_in(alice).get("/", {"q": "a\0b"})
        assert shows(page, gettext("Null characters are not allowed."))

    def test_says_what_to_do_when_it_is_empty(self, alice, signed_in):
        assert shows(signed_in(alice).get("/"), "No invoices yet")


class TestDetail:
    def test_shows_the_invoice_and_its_checksum(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice, b"content", title="Flat")
        page = signed_in(alice).get(f"/{invoice.pk}/")
        assert shows(page, hashlib.sha256(b"content").hexdigest())
        assert shows(page, f"{invoice.data.url}?download")

    @pytest.mark.parametrize(
        ("name", "preview"),
        [
            ("a.PNG", "image"),
            ("a.jpg", "image"),
            ("a.svg", ""),
            ("a.pdf", "frame"),
            ("a.txt", "text"),
            ("a.LOG", "text"),
            ("a.html", ""),
            ("a.csv", ""),
            ("a.pdf.gz", ""),
            ("a", ""),
        ],
    )
    def test_previews_what_a_browser_can_show_and_cannot_run(
        self, name, preview, alice, invoice_of, signed_in
    ):
        invoice = invoice_of(alice, name=name)
        assert invoice.preview == preview
        client = signed_in(alice)
        assert client.get(f"/{invoice.pk}/").status_code == 200
        # What the page embeds is what the file's own answer allows to be shown.
        answer = client.get(invoice.data.url)
        embedded = preview in {"image", "frame"}
        assert answer.headers["Content-Disposition"].startswith("inline") == embedded
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"

    def test_of_an_invoice_without_a_file_offers_to_add_one(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice, None)
        client = signed_in(alice)
        assert shows(client.get(f"/{invoice.pk}/"), "Add a file")
        replace(client, invoice, "rent.pdf", b"new")
        assert content_of(Invoice.objects.get()) == b"new"

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("a.pdf", "PDF"), ("a.tar.gz", "TAR.GZ"), ("a.b.c.png", "PNG"), ("a", "file")],
    )
    def test_names_the_kind_of_file(self, name, kind, alice, invoice_of):
        assert invoice_of(alice, name=name).kind == kind


class TestUpload:
    def test_of_one_file_makes_one_invoice(self, alice, signed_in):
        client = signed_in(alice)
        response = upload(client, ("March rent.pdf", b"content"), amount="12.30")
        invoice = Invoice.objects.get()
        assert response.url == f"/{invoice.pk}/"
        assert (invoice.owner, invoice.number, invoice.title) == (alice, "2026-0001", "March rent")
        assert str(invoice.amount) == "12.30"
        assert (invoice.data.entry.original_name, invoice.data.size) == ("March rent.pdf", 7)
        assert downloaded(client.get(invoice.data.url)) == b"content"

    def test_of_several_files_numbers_them_one_after_the_other(self, alice, bob, signed_in):
        upload(signed_in(bob), ("x.pdf", b"x"))
        upload(signed_in(alice), ("a.pdf", b"a"), ("b.pdf", b"b"))
        response = upload(signed_in(alice), ("c.pdf", b"c"), title="Together")
        assert response.status_code == 302
        assert list(alice.invoices.order_by("pk").values_list("number", "title")) == [
            ("2026-0001", "a"),
            ("2026-0002", "b"),
            ("2026-0003", "Together"),
        ]

    def test_numbers_go_on_after_those_that_people_gave(self, alice, invoice_of, signed_in):
        for number in ["2026-0041", "2026-99999999999", "RE 7", "2025-0050"]:
            invoice_of(alice, number=number)
        upload(signed_in(alice), ("a.pdf", b"a"))
        assert alice.invoices.filter(number="2026-0042").exists()

    def test_of_nothing_says_so(self, alice, signed_in):
        assert shows(upload(signed_in(alice)), "Choose at least one file.")

    def test_stored_checksum_is_that_of_the_download(self, alice, signed_in):
        client = signed_in(alice)
        content = bytes(range(256)) * 12_000  # Some pieces of a megabyte, and a bit.
        upload(client, ("a.bin", content))
        invoice = Invoice.objects.get()
        body = downloaded(client.get(invoice.data.url))
        assert body == content
        assert hashlib.sha256(body).hexdigest() == invoice.data.entry.sha256


class TestEdit:
    def test_changes_the_row_and_keeps_the_file(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice)
        fields = {"title": "Flat", "number": "RE 7", "amount": "3", "issued": "2026-01-02"}
        assert signed_in(alice).post(f"/{invoice.pk}/edit/", fields).status_code == 302
        invoice.refresh_from_db()
        assert (invoice.title, invoice.number) == ("Flat", "RE 7")
        assert content_of(invoice) == b"content"

    def test_a_number_that_is_taken_is_told_beside_the_number(self, alice, invoice_of, signed_in):
        invoice_of(alice, number="1")
        invoice = invoice_of(alice, number="2")
        fields = {"title": "Flat", "number": "1", "issued": "2026-01-02"}
        page = signed_in(alice).post(f"/{invoice.pk}/edit/", fields)
        assert page.context["form"].errors == {
            "number": ["You have another invoice with this number."]
        }

    def test_two_people_may_have_the_same_number(self, alice, bob, invoice_of, signed_in):
        invoice_of(alice, number="1")
        invoice_of(bob, number="1")

    @pytest.mark.parametrize(
        ("amount", "message"),
        [
            ("-0.01", "The amount cannot be negative."),
            ("ten", gettext("Enter a number.")),
            ("NaN", gettext("Enter a number.")),
            ("0.001", DecimalValidator.messages["max_decimal_places"] % {"max": 2}),
            ("99999999999", DecimalValidator.messages["max_whole_digits"] % {"max": 10}),
        ],
    )
    def test_an_impossible_amount_is_told(self, amount, message, alice, invoice_of, signed_in):
        invoice = invoice_of(alice)
        fields = {"title": "Flat", "number": "1", "amount": amount, "issued": "2026-01-02"}
        assert shows(signed_in(alice).post(f"/{invoice.pk}/edit/", fields), message)


class TestReplace:
    def test_leaves_one_file(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice, b"old")
        before = large_objects()
        response = replace(signed_in(alice), invoice, "new.txt", b"new")
        assert response.url == f"/{invoice.pk}/"
        invoice = Invoice.objects.get()
        assert (content_of(invoice), invoice.data.entry.original_name) == (b"new", "new.txt")
        assert large_objects() == before

    def test_with_an_empty_file_changes_nothing(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice, b"old")
        page = replace(signed_in(alice), invoice, "new.pdf", b"")
        assert shows(page, "The file is empty, so there is no invoice in it.")
        assert content_of(Invoice.objects.get()) == b"old"


class TestDelete:
    def test_asks_first(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice)
        assert shows(signed_in(alice).get(f"/{invoice.pk}/delete/"), "Delete this invoice?")
        assert Invoice.objects.exists()

    def test_leaves_neither_row_nor_file(self, alice, invoice_of, signed_in):
        before = large_objects()
        invoice = invoice_of(alice)
        assert signed_in(alice).post(f"/{invoice.pk}/delete/").url == "/"
        assert not Invoice.objects.exists()
        assert large_objects() == before


class TestFoot:
    def test_counts_rows_and_objects_live(self, alice, bob, invoice_of, signed_in):
        invoice_of(alice)
        invoice_of(bob)
        invoice_of(bob, None)
        balance = signed_in(alice).get("/").context["balance"]
        assert balance.invoices == 2
        assert balance.objects == large_objects()
        assert balance.unnamed == large_objects() - 2
