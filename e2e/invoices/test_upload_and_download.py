"""What goes in comes out, byte for byte and under its own name."""

import re

import pytest
from playwright.sync_api import expect

from lo_storage.models import LargeObject
from lo_storage.templatetags.lo_storage import visible

from .files import MiB, noise, pdf, png, sha256, wav
from .steps import download, foot, upload


def test_an_uploaded_file_comes_back_byte_for_byte(alices_page, sample, large_objects):
    page = alices_page
    content = pdf("March rent")
    page.goto("/")
    page.get_by_role("link", name="Upload invoices").click()
    page.get_by_label("Amount in EUR").fill("1276.5")
    page.get_by_label("Date of issue").fill("2026-03-02")
    upload(page, sample("March rent.pdf", content))

    expect(page.get_by_role("status").first).to_have_text("Invoice 2026-0001 was uploaded.")
    expect(page.get_by_role("heading", name="March rent")).to_be_visible()
    expect(page.get_by_text("€1,276.50")).to_be_visible()
    name, received = download(page, page.get_by_role("link", name="Download"))
    assert (name, received) == ("March rent.pdf", content)
    expect(page.get_by_text(sha256(received), exact=True)).to_be_visible()

    page.get_by_role("navigation").get_by_role("link", name="All invoices").click()
    row = page.get_by_role("row").filter(has_text="2026-0001")
    assert download(page, row.get_by_role("link", name="March rent.pdf")) == (name, content)
    expect(foot(page)).to_have_text(["1", "1", "0"])
    assert len(large_objects()) == 1


def test_50_megabytes_come_back_byte_for_byte(alices_page, sample, large_objects):
    page = alices_page
    content = noise(50 * MiB)
    page.goto("/upload/")
    upload(page, sample("scans.zip", content))
    expect(page.get_by_role("heading", name="scans")).to_be_visible(timeout=60_000)
    name, received = download(page, page.get_by_role("link", name="Download"))
    assert name == "scans.zip"
    assert received == content
    expect(page.get_by_text(sha256(received), exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile(r"50[.,]0\sMB"))).to_be_visible()
    assert len(large_objects()) == 1


def test_a_batch_becomes_an_invoice_for_each_file(alices_page, sample, large_objects):
    page = alices_page
    files = {f"bill {n}.png": png(width=n) for n in range(1, 6)}
    page.goto("/upload/")
    upload(page, *(sample(name, content) for name, content in files.items()))
    expect(page.get_by_role("status").first).to_have_text("5 invoices were uploaded.")
    for name, content in files.items():
        assert download(page, page.get_by_role("link", name=name)) == (name, content)
    expect(foot(page)).to_have_text(["5", "5", "0"])
    assert len(large_objects()) == 5


@pytest.mark.parametrize(
    ("name", "saved_as"),
    [
        ("Rechnung Müller – März.pdf", None),
        ("請求書 ２０２６.pdf", None),
        ("فاتورة مارس.pdf", None),
        ("Screenshot 9.41\u202fAM.png", None),  # a narrow space, as Macs write it
        ("single 'quotes'.pdf", None),
        ("archive.2026.03.tar.gz", None),
        ("page.html.pdf", None),
        ("none", None),
        ("n" * 251 + ".pdf", None),
        ("é" * 125 + ".pdf", None),
        # Chromium saves no file under what some file system would not take.
        ('double "quotes".pdf', "double _quotes_.pdf"),
        ("first\nsecond.pdf", "first_second.pdf"),
        ("100% of 50;a=b, c&d #1?.pdf", "100% of 50;a=b, c&d #1_.pdf"),
        ("👨\u200d👩\u200d👧 family.pdf", "👨_👩_👧 family.pdf"),
        (".hidden", "hidden"),
    ],
    ids=lambda name: None if name is None else ascii(name)[1:30],
)
def test_a_name_comes_back_as_it_was(name, saved_as, alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    upload(page, sample(name, b"content"))
    expect(page.get_by_role("status").first).to_have_text("Invoice 2026-0001 was uploaded.")
    expect(page.get_by_role("definition").filter(has_text=visible(name))).to_be_visible()
    assert download(page, page.get_by_role("link", name="Download")) == (
        saved_as or name,
        b"content",
    )
    assert LargeObject.objects.get().original_name == name


def test_a_name_that_no_disk_takes_is_kept(alices_page):
    page = alices_page
    name = "請" * 300 + ".pdf"
    page.goto("/upload/")
    upload(page, {"name": name, "mimeType": "application/pdf", "buffer": pdf()})
    expect(page.get_by_role("definition").filter(has_text=name)).to_be_visible()
    with page.expect_download() as event:
        page.get_by_role("link", name="Download").click()
    assert event.value.path().read_bytes() == pdf()
    assert LargeObject.objects.get().original_name == name


def test_after_an_upload_back_leads_to_the_form(alices_page, sample):
    page = alices_page
    page.goto("/")
    page.get_by_role("link", name="Upload invoices").click()
    upload(page, sample("rent.pdf", pdf()))
    expect(page.get_by_role("heading", name="rent")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Upload invoices")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="rent")).to_be_visible()
    expect(foot(page)).to_have_text(["1", "1", "0"])


def test_images_and_documents_are_shown_on_the_page(alices_page, alice, invoice_of):
    page = alices_page
    image = invoice_of(alice, png(40, 30), "scan.png")
    document = invoice_of(alice, pdf(), "rent.pdf")
    page.goto(image.get_absolute_url())
    shown = page.get_by_role("img", name="scan.png")
    expect(shown).to_be_visible()
    expect(shown).to_have_js_property("naturalWidth", 40)
    with page.expect_response(lambda response: response.url.endswith(".pdf")) as event:
        page.goto(document.get_absolute_url())
    assert event.value.status == 200
    assert event.value.headers["content-type"] == "application/pdf"


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_a_text_is_shown_whichever_its_encoding(codec, encoding, alices_page, alice, invoice_of):
    page = alices_page
    text = "\n  Miete für März:\n    30 € – „bezahlt“, <b>danke</b>"
    invoice = invoice_of(alice, text.encode(codec), "notes.txt")
    page.goto(invoice.get_absolute_url())
    assert page.get_by_role("region", name="notes.txt").inner_text() == text
    expect(page.get_by_text(f"Read as {encoding}.")).to_be_visible()
    name, content = download(page, page.get_by_role("link", name="Download"))
    assert (name, content) == ("notes.txt", text.encode(codec))


def test_a_text_in_no_known_encoding_says_so(alices_page, alice, invoice_of):
    page = alices_page
    page.goto(invoice_of(alice, "Miete".encode("utf-16-le"), "notes.txt").get_absolute_url())
    expect(page.get_by_text("This is no text in UTF-8, in Windows-1252")).to_be_visible()
    with page.expect_download() as event:
        page.get_by_role("link", name="Download").click()
    assert event.value.suggested_filename == "notes.txt"


def test_an_image_and_a_sound_are_shown_by_their_address(alices_page, alice, invoice_of):
    page = alices_page
    page.goto(invoice_of(alice, png(40, 30), "scan.png").data.url)
    expect(page.locator("img")).to_have_js_property("naturalWidth", 40)
    page.goto(invoice_of(alice, wav(seconds=2), "voice.wav").data.url)
    expect(page.locator("video, audio")).to_have_js_property("duration", 2)


def test_a_list_is_searched_and_paged_in_the_database(alices_page, alice, invoice_of):
    page = alices_page
    for n in range(21):
        invoice_of(alice, name=f"file {n}.txt", title=f"Bill {n}")
    invoice_of(alice, name="deposit.txt", title="Deposit")
    page.goto("/")
    expect(page.get_by_text("Page 1 of 2")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("rowheader")).to_have_text(["Bill 1", "Bill 0"])
    page.get_by_label("Search number, title or file name").fill("deposit")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("rowheader")).to_have_text(["Deposit"])
    page.get_by_label("Search number, title or file name").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No invoice has “nobody”")).to_be_visible()
