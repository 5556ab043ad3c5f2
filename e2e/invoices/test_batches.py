"""Each file has a row of its own, is looked at before it is saved, and is never sent again."""

import pytest
from playwright.sync_api import expect

from invoices.models import Invoice
from lo_storage.uploads.models import Upload

from .files import pdf, png, wav
from .steps import choose, download, eventually, foot, for_all, invoice_of_file, look_at_new, upload

without_script = pytest.mark.browser_context_args(java_script_enabled=False)


def press(page):
    page.get_by_role("button", name="Upload", exact=True).click()


def saved():
    rows = Invoice.objects.order_by("number")
    return [(row.number, row.title, str(row.amount), str(row.issued)) for row in rows]


def test_rows_are_filled_from_names_and_from_what_holds_for_all(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    choose(page, sample("Power 2026-03-31.pdf", pdf()), sample("scan.20260401.png", png()))
    power, scan = (
        invoice_of_file(page, name) for name in ["Power 2026-03-31.pdf", "scan.20260401.png"]
    )
    expect(power.get_by_label("Title")).to_have_value("Power 2026-03-31")
    expect(power.get_by_label("Date of issue")).to_have_value("2026-03-31")
    expect(scan.get_by_label("Date of issue")).to_have_value("2026-04-01")
    expect(power.get_by_label("Number")).to_have_attribute("placeholder", "2026-0001")
    expect(scan.get_by_label("Number")).to_have_attribute("placeholder", "2026-0002")

    power.get_by_label("Title").fill("Power for March")
    for_all(page).get_by_label("Title").fill("Bills")
    for_all(page).get_by_label("Amount in EUR").fill("7")
    for_all(page).get_by_label("Date of issue").fill("2025-12-01")
    scan.get_by_label("Date of issue").fill("2024-01-02")
    expect(power.get_by_label("Title")).to_have_value("Power for March")
    expect(scan.get_by_label("Title")).to_have_value("Bills")
    expect(power.get_by_label("Number")).to_have_attribute("placeholder", "2025-0001")
    press(page)
    expect(page.get_by_role("status").first).to_have_text("2 invoices were uploaded.")
    assert saved() == [
        ("2024-0001", "Bills", "7.00", "2024-01-02"),
        ("2025-0001", "Power for March", "7.00", "2025-12-01"),
    ]


def test_nothing_hides_in_the_name_of_a_row(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    choose(page, sample("letter\u202efdp.txt", b"text"))
    expect(invoice_of_file(page, "letter[U+202E]fdp.txt")).to_be_visible()
    assert "\u202e" not in page.content()


def test_a_mistake_in_one_row_costs_no_second_upload(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    names = [f"bill {n}.png" for n in range(5)]
    choose(page, *(sample(name, png(width=n + 1)) for n, name in enumerate(names)))
    invoice_of_file(page, "bill 1.png").get_by_label("Title").fill("Mended")
    invoice_of_file(page, "bill 3.png").get_by_label("Amount in EUR").fill("a lot")
    sent = set(Upload.objects.values_list("pk", flat=True))
    press(page)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Look at “bill 3.png”. No file has to be sent again.")
    expect(foot(page)).to_have_text(["0", "0", "0", "5"])
    row = invoice_of_file(page, "bill 3.png")
    expect(row.get_by_label("Amount in EUR")).to_have_value("a lot")
    expect(row.get_by_role("listitem")).to_be_visible()
    assert set(Upload.objects.values_list("pk", flat=True)) == sent

    row.get_by_label("Amount in EUR").fill("3")
    press(page)
    expect(page.get_by_role("status").first).to_have_text("5 invoices were uploaded.")
    expect(foot(page)).to_have_text(["5", "5", "0"])
    assert {title for _, title, *_ in saved()} == {"bill 0", "Mended", "bill 2", "bill 3", "bill 4"}
    link = page.get_by_role("link", name="bill 3.png")
    assert download(page, link) == ("bill 3.png", png(width=4))


def test_a_file_that_i_have_is_told_when_it_has_come(alices_page, alice, bob, invoice_of, sample):
    page = alices_page
    invoice_of(alice, pdf(), "rent.pdf", title="March rent")
    invoice_of(bob, png(), "scan.png")
    page.goto("/upload/")
    choose(page, sample("again.pdf", pdf()), sample("scan.png", png()))
    told = "You have this file already: 2026-0001 March rent. Saved again, you have it twice."
    expect(invoice_of_file(page, "again.pdf").get_by_text(told)).to_be_visible()
    expect(page.get_by_text("You have this file already")).to_have_count(1)
    press(page)
    expect(page.get_by_role("status").first).to_have_text("2 invoices were uploaded.")
    assert alice.invoices.count() == 3


@without_script
def test_without_script_a_file_that_i_have_is_told_before_it_is_saved(
    alices_page, alice, invoice_of, sample
):
    page = alices_page
    invoice_of(alice, pdf(), "rent.pdf", title="March rent")
    page.goto("/upload/")
    upload(page, sample("again.pdf", pdf()), sample("scan.png", png()))
    row = invoice_of_file(page, "again.pdf")
    expect(row.get_by_text("You have this file already: 2026-0001 March rent.")).to_be_visible()
    invoice_of_file(page, "scan.png").get_by_label("Amount in EUR").fill("1.50")
    press(page)
    expect(page.get_by_role("status").first).to_have_text("2 invoices were uploaded.")
    assert [row[2] for row in saved()] == ["None", "None", "1.50"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("scan.png", png(400, 300)), ("voice.wav", wav(1)), ("notes.txt", "März".encode())],
)
def test_a_file_is_looked_at_before_it_is_saved(name, content, alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    choose(page, sample(name, content))
    page.get_by_text(f"Preview of {name}").click()
    match name.partition(".")[2]:
        case "png":
            expect(page.get_by_role("img", name=name)).to_have_js_property("naturalWidth", 400)
        case "wav":
            sound = page.locator("audio")
            sound.evaluate("sound => sound.load() || (sound.preload = 'metadata')")
            expect(sound).to_have_js_property("duration", 1)
        case "txt":
            expect(page.frame_locator("iframe").get_by_text("März")).to_be_visible()


def test_what_came_while_offline_is_looked_at_once_there_is_a_connection(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    asked = []

    def lose(route):
        asked.append(route.request.url)
        page.context.set_offline(True)
        route.abort("internetdisconnected")

    page.route("**/staged/?id=*", lose, times=1)
    choose(page, sample("scan.png", png(400, 300)))
    eventually(lambda: page.evaluate("!navigator.onLine") and asked)
    expect(page.get_by_text("Preview of scan.png")).to_have_count(0)
    page.context.set_offline(False)
    page.get_by_text("Preview of scan.png").click()
    expect(page.get_by_role("img", name="scan.png")).to_have_js_property("naturalWidth", 400)


def test_the_new_file_stands_beside_the_old_one(alices_page, alice, invoice_of, sample):
    page = alices_page
    invoice = invoice_of(alice, png(40, 30), "old.png")
    page.goto(f"/{invoice.pk}/replace/")
    choose(page, sample("new.png", png(80, 30)), label="New file")
    for name, width in [("old.png", 40), ("new.png", 80)]:
        shown = page.get_by_role("img", name=name)
        expect(shown).to_have_js_property("naturalWidth", width)
    page.get_by_role("button", name="Remove new.png").click()
    expect(page.get_by_role("img", name="old.png")).to_be_hidden()
    look_at_new(page, sample("other.png", png(90, 30)))
    page.get_by_role("button", name="Replace file").click()
    expect(page.get_by_role("status").first).to_have_text("The file was replaced.")
    link = page.get_by_role("link", name="Download")
    assert download(page, link) == ("other.png", png(90, 30))
