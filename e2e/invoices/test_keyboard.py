"""All of it works without a mouse, and one sees where one is."""

from playwright.sync_api import expect

from ..signing_in import NAME, PASSWORD
from .files import pdf, png
from .steps import foot

# What one hears of the element that has the focus, and how wide the line around it is.
FOCUSED = """() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText;
    return {
        name: (label ?? element.innerText).replace(/\\s+/g, " ").trim(),
        line: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
        // Its parts, day and month and year, are Chromium's own, and so is how they show the focus.
        own: element.type !== "date" && element !== document.body,
    };
}"""


def press_tab(page, key="Tab"):
    """Go to the next element, and return its name."""
    page.keyboard.press(key)
    focused = page.evaluate(FOCUSED)
    if focused["own"]:
        assert focused["line"] >= 2, f"one cannot see that {focused['name']!r} has the focus"
    return focused["name"]


def tab_to(page, locator):
    def is_there():
        return locator.evaluate("element => element === document.activeElement")

    for _ in range(60):
        if is_there():
            return
        press_tab(page)
    raise AssertionError(f"the tab key does not lead to {locator}")


def test_the_order_of_the_tab_key_is_that_of_the_page(alices_page, alice, invoice_of):
    page = alices_page
    invoice_of(alice, title="Rent", name="rent.pdf")
    page.goto("/")
    brand = page.get_by_role("banner").get_by_role("link").first.inner_text()
    top = ["Skip to the content", brand, "All invoices", "Upload", "Password", "Sign out"]
    order = [
        *top,
        "Upload invoices",
        "Search number, title or file name",
        "Search",
        "Rent",
        "rent.pdf",
    ]
    assert [press_tab(page) for _ in order] == order
    assert [press_tab(page, "Shift+Tab") for _ in order[1:]] == order[-2::-1]

    page.goto("/upload/")
    order = [*top, "Files", "Choose a folder", "Title (optional)", "Amount in EUR (optional)"]
    assert [press_tab(page) for _ in order] == order
    while press_tab(page) == "Date of issue (optional)":  # day, month, year and the calendar
        pass
    expect(page.get_by_label("No, let it succeed")).to_be_focused()  # one stop for three choices
    assert [press_tab(page) for _ in range(2)] == ["Upload", "Cancel"]


def test_the_first_link_skips_to_the_content(alices_page):
    page = alices_page
    page.goto("/")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).not_to_be_in_viewport()
    press_tab(page)
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert press_tab(page) == "Upload invoices"


def test_a_whole_visit(page, alice, sample, large_objects):
    # Playwright would else begin to look for choosers while the key is already on its way.
    page.on("filechooser", lambda _: None)
    page.goto("/")
    expect(page.get_by_label(NAME)).to_be_focused()
    page.keyboard.type("alice")
    assert press_tab(page) == PASSWORD
    page.keyboard.type("a long one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No invoices yet")).to_be_visible()

    tab_to(page, page.get_by_role("link", name="Upload invoices"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Upload invoices")).to_be_visible()
    tab_to(page, page.get_by_label("Files", exact=True))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([sample("rent.pdf", pdf()), sample("blank.png", png())])
    expect(page.get_by_text("2 files")).to_be_visible()

    # Not this one, after all: the focus stays where one can go on.
    tab_to(page, page.get_by_role("button", name="Remove blank.png"))
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove rent.pdf")).to_be_focused()

    # Once so that it fails: the focus is on what the page tells.
    tab_to(page, page.get_by_label("No, let it succeed"))
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Raise an exception at the end of the work")).to_be_checked()
    tab_to(page, page.get_by_role("button", name="Upload", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Nothing was left behind.")).to_be_focused()

    tab_to(page, page.get_by_label("Raise an exception at the end of the work"))
    page.keyboard.press("ArrowUp")
    tab_to(page, page.get_by_role("button", name="Upload", exact=True))
    page.keyboard.press("Space")
    expect(page.get_by_role("status").first).to_have_text("Invoice 2026-0001 was uploaded.")
    expect(foot(page)).to_have_text(["1", "1", "0"])

    tab_to(page, page.get_by_role("link", name="Download"))
    with page.expect_download() as event:
        page.keyboard.press("Enter")
    assert event.value.path().read_bytes() == pdf()

    tab_to(page, page.get_by_role("link", name="Delete"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Delete this invoice?")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Delete invoice"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No invoices yet")).to_be_visible()
    assert not large_objects()


def test_an_error_has_the_focus_and_leads_to_its_field(alices_page, alice, invoice_of):
    page = alices_page
    invoice = invoice_of(alice)
    page.goto(f"/{invoice.pk}/edit/")
    page.get_by_label("Amount in EUR").fill("a lot")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    tab_to(page, page.get_by_role("link", name="Amount in EUR: see what to change"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Amount in EUR")).to_be_focused()
