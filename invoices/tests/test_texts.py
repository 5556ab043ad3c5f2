"""The preview of a text: right, or a sentence that says why there is none."""

import pytest
from django.template.defaultfilters import filesizeformat

from invoices.texts import EMPTY, MAX_PREVIEW, UNKNOWN, UNREADABLE, decoded

from .conftest import downloaded, shows

TEXT = "Miete für März: 30 € – „bezahlt“\n"


class TestEncodings:
    @pytest.mark.parametrize(
        ("codec", "encoding"),
        [
            ("utf-8", "UTF-8"),
            ("utf-8-sig", "UTF-8"),
            ("utf-16", "UTF-16"),
            ("cp1252", "Windows-1252"),
        ],
    )
    def test_a_text_is_read_in_its_own(self, codec, encoding):
        text = decoded(TEXT.encode(codec))
        assert (text.content, text.encoding, text.is_cut) == (TEXT, encoding, False)

    def test_of_utf_16_both_orders_of_bytes(self):
        for mark, codec in [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")]:
            assert decoded(mark + TEXT.encode(codec)).content == TEXT

    @pytest.mark.parametrize(
        "data",
        [
            TEXT.encode("utf-16-le"),  # without a mark
            TEXT.encode("utf-32"),
            b"\xff\xfe" + TEXT.encode("utf-16-le") + b"x",  # half a letter at its end
            b"\xef\xbb\xbf" + TEXT.encode("cp1252"),  # marked, and not true
            b"\x81\x8d\x8f\x90\x9d \xe4",  # Windows-1252 has no such letters
            b"MZ\x90\0",
            b"\x01\x02",
        ],
    )
    def test_others_are_not_guessed(self, data):
        text = decoded(data)
        assert (text.content, text.problem) == ("", UNKNOWN)

    @pytest.mark.parametrize("data", [b"a\tb\r\nc\fd", b"\x1b[31mred\x1b[0m"])
    def test_what_a_text_may_have_is_kept(self, data):
        assert decoded(data).content == data.decode()

    @pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
    def test_a_letter_that_is_cut_is_left_out(self, codec):
        data = "€€€🧾".encode(codec)
        for length in range(len(data) - 3, len(data)):
            text = decoded(data[:length], is_cut=True)
            assert (text.content, text.is_cut) == ("€€€", True)

    @pytest.mark.parametrize("codec", ["utf-8", "cp1252"])
    def test_the_end_that_dos_writes_is_none_of_it(self, codec):
        assert decoded(TEXT.encode(codec) + b"\x1a").content == TEXT
        assert decoded(TEXT.encode(codec) + b"\x1a" * 100).content == TEXT  # fills a block
        assert decoded(b"\x1a").problem == EMPTY
        assert decoded(b"a\x1ab").problem == UNKNOWN

    def test_none_is_told(self):
        assert decoded(b"").problem == EMPTY
        assert decoded(b"\xef\xbb\xbf").problem == EMPTY


@pytest.mark.django_db(transaction=True)
class TestPage:
    @pytest.mark.parametrize("codec", ["utf-8", "utf-16", "cp1252"])
    def test_shows_the_text_and_claims_no_encoding_of_the_file(
        self, codec, alice, invoice_of, signed_in
    ):
        invoice = invoice_of(alice, TEXT.encode(codec), "notes.txt")
        client = signed_in(alice)
        assert shows(client.get(f"/{invoice.pk}/"), TEXT)
        for address in [invoice.data.url, f"{invoice.data.url}?download"]:
            answer = client.get(address)
            assert answer.headers["Content-Type"] == "text/plain"
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert downloaded(answer) == TEXT.encode(codec)

    def test_shows_no_text_as_html(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice, b"</pre><script>alert(1)</script>", "notes.txt")
        page = signed_in(alice).get(f"/{invoice.pk}/")
        assert b"<script>alert" not in page.content
        assert shows(page, "</pre><script>alert(1)</script>")

    @pytest.mark.parametrize(("more", "is_cut"), [(0, False), (1, True)])
    def test_shows_the_beginning_of_a_long_text(self, more, is_cut, alice, invoice_of, signed_in):
        content = b"a" * MAX_PREVIEW + b"z" * more
        page = signed_in(alice).get(f"/{invoice_of(alice, content, 'long.log').pk}/")
        assert page.context["text"].content == "a" * MAX_PREVIEW
        limit = filesizeformat(MAX_PREVIEW)
        assert shows(page, f"The first {limit} of {limit}.") == is_cut

    def test_says_that_another_kind_has_none(self, alice, invoice_of, signed_in):
        invoice = invoice_of(alice, TEXT.encode("utf-16-le"), "notes.txt")
        assert shows(signed_in(alice).get(f"/{invoice.pk}/"), UNKNOWN)

    def test_says_that_the_file_could_not_be_read(self, alice, invoice_of, signed_in, monkeypatch):
        """As where it is replaced between two statements of the page."""
        invoice = invoice_of(alice, TEXT.encode(), "notes.txt")
        storage = type(invoice.data.storage)
        locate = storage._open

        def replaced(self, name, mode):
            return locate(self, "1.txt", mode)

        monkeypatch.setattr(storage, "_open", replaced)
        page = signed_in(alice).get(f"/{invoice.pk}/")
        assert (page.status_code, shows(page, UNREADABLE)) == (200, True)

    def test_reads_a_short_text_by_one_statement(
        self, alice, invoice_of, signed_in, django_assert_num_queries
    ):
        client = signed_in(alice)
        pdf, text = (invoice_of(alice, name=name) for name in ["a.pdf", "a.txt"])
        with django_assert_num_queries(4):  # session, user, invoice, the balance at the foot
            client.get(f"/{pdf.pk}/")
        with django_assert_num_queries(5):
            client.get(f"/{text.pk}/")
