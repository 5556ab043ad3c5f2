"""The pages in Firefox and WebKit: what is shown, sent and stored, and what does not run.

All other journeys are walked in Chromium, in `e2e/`.
"""

from io import BytesIO

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.signals import request_finished, request_started
from django.test import Client
from PIL import Image, ImageChops

from e2e.invoices.files import MiB, noise, pdf, pdf_that_acts, pdf_that_is_clicked, png
from e2e.invoices.steps import eventually
from e2e.invoices.test_hostile_files import HTML, HTML_AND_PDF, SVG, WHEN_OPENED, XHTML
from invoices.models import Invoice
from lo_storage.uploads.models import Upload

from .browsers import ENGINES
from .lines import LineThatHolds, served

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (40, 90, 160)


# A hundred frames of silence, of 1152 samples each: MPEG-1, layer III, 128 kbit/s, 44.1 kHz.
MP3 = (b"\xff\xfb\x90\x64" + bytes(413)) * 100


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, tmp_path_factory):
    with ENGINES[request.param](tmp_path_factory.mktemp(request.param)) as engine:
        yield engine


@pytest.fixture
def alice(transactional_db):
    return get_user_model().objects.create_user("alice", password="a long one")


@pytest.fixture
def goto(engine, live_server):
    """Open an address, and wait until the browser has loaded all of it.

    Afterwards the server does all that it was asked, before the tables are emptied.
    """
    begun, ended = [], []

    def begin(**kwargs):
        begun.append(kwargs)

    def end(**kwargs):
        ended.append(kwargs)

    def load(address):
        engine.open(address)
        eventually(lambda: engine.loaded() == address)

    def goto(address):
        load(blank)  # so that a look shows nothing of another page
        load(address)

    blank = f"{live_server.url}/healthz/"
    request_started.connect(begin)
    request_finished.connect(end)
    yield goto
    load(blank)
    eventually(lambda: len(begun) == len(ended))
    request_started.disconnect(begin)
    request_finished.disconnect(end)


@pytest.fixture
def alices(engine, goto, live_server, alice):
    """The browser, in which Alice is signed in."""
    client = Client()
    client.force_login(alice)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    goto(f"{live_server.url}/accounts/login/")
    engine.remember(cookie.key, cookie.value)
    yield engine
    engine.forget()


@pytest.fixture
def invoice_of(alice, live_server):
    """Save an invoice of Alice's with a file; return the addresses of the file and of its page."""

    def save(name, content):
        number = Invoice.objects.next_number(alice, 2026)
        invoice = Invoice.objects.create(
            owner=alice,
            title="Rent",
            issued="2026-03-02",
            number=number,
            data=ContentFile(content, name=name),
        )
        return live_server.url + invoice.data.url, live_server.url + invoice.get_absolute_url()

    return save


@pytest.fixture
def requests():
    """The paths that the server is asked for."""
    paths = []

    def note(environ, **kwargs):
        paths.append(environ["PATH_INFO"])

    request_started.connect(note)
    yield paths
    request_started.disconnect(note)


@pytest.fixture
def hostile(live_server):
    """Make content that asks for an address if it runs."""
    return lambda text: text.replace("ADDRESS", f"{live_server.url}/it-ran").encode()


def look(engine):
    """What the browser shows now."""
    return Image.open(BytesIO(engine.screenshot())).convert("RGB")


def share(engine, colour):
    """How much of it has a colour."""
    image = look(engine).resize((80, 60))
    points = [image.getpixel((x, y)) for x in range(80) for y in range(60)]
    near = [all(abs(a - b) < 60 for a, b in zip(point, colour, strict=True)) for point in points]
    return sum(near) / len(points)


def test_a_person_signs_in_and_out(engine, goto, live_server, alice):
    goto(f"{live_server.url}/accounts/login/")
    engine.type("[name=username]", "alice")
    engine.type("[name=password]", "a long one")
    engine.click("main form button")
    eventually(lambda: engine.loaded() == f"{live_server.url}/")
    engine.click("header form button")
    eventually(lambda: engine.loaded() == f"{live_server.url}/accounts/login/")


@pytest.mark.parametrize(
    ("name", "content", "colour"),
    [
        ("scan.pdf", pdf(colour=(0, 1, 0)), GREEN),
        ("polyglot.pdf", HTML_AND_PDF.encode(), GREEN),
        ("scan.png", png(800, 600), BLUE),
    ],
)
def test_a_file_is_shown_by_its_address_and_on_the_invoice_s_page(
    name, content, colour, alices, goto, invoice_of
):
    for address in invoice_of(name, content):
        goto(address)
        eventually(lambda: share(alices, colour) > 0.1)


def test_a_large_image_is_fitted_into_the_window(alices, goto, invoice_of):
    goto(invoice_of("scan.png", png(4000, 3000))[0])
    bottom = "return document.images[0].getBoundingClientRect().bottom - innerHeight"
    eventually(lambda: alices.run(bottom) <= 0)


def test_a_text_is_shown_on_the_invoice_s_page(alices, goto, invoice_of):
    goto(invoice_of("notes.txt", HTML.encode())[1])
    assert alices.run("return document.querySelector('.preview pre').innerText").strip() == HTML


def test_a_file_is_uploaded_and_comes_back(alices, goto, live_server, tmp_path):
    content = pdf("March rent", colour=(0, 1, 0))
    path = tmp_path / "March rent.pdf"
    path.write_bytes(content)
    goto(f"{live_server.url}/upload/")
    alices.type("input[type=file]", str(path))
    alices.click("main form .actions button")
    heading = "return document.querySelector('h1')?.innerText"
    eventually(lambda: alices.run(heading) == "March rent")
    with Invoice.objects.get().data as file:
        assert file.read() == content
    eventually(lambda: share(alices, GREEN) > 0.1)
    alices.click("a[href$='?download']")
    saved = alices.downloads / "March rent.pdf"
    eventually(lambda: saved.exists() and saved.read_bytes() == content)


@pytest.fixture
def file(tmp_path):
    """Write a file to the person's disk; return its path."""

    def file(name, content):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return file


@pytest.fixture
def shown(alices):
    """Wait until the page shows a text."""
    text = "return document.body.innerText"
    return lambda words: eventually(lambda: words in alices.run(text))


@pytest.fixture
def press(alices):
    """Click a button by what a screen reader calls it, or that which sends the form."""

    def press(name):
        css = "main form .actions button" if name == "Upload" else f'[aria-label="{name}"]'
        place = f"return JSON.stringify(document.querySelector({css!r}).getBoundingClientRect())"
        # A driver clicks where the button was, and what is above it may still grow.
        eventually(lambda: alices.run(place) == alices.run(place))
        alices.click(css)

    return press


def saved():
    """What is saved: the content of each invoice, by its title; nothing else is staged."""
    assert not Upload.objects.exists()
    content = {}
    for invoice in Invoice.objects.all():
        with invoice.data as file:
            content[invoice.title] = file.read()
    return content


# No driver can drop a file.
DROP = """
    const dataTransfer = new DataTransfer();
    for (const name of ["third.txt", "fourth.txt"]) {
      dataTransfer.items.add(new File([name], name, { type: "text/plain" }));
    }
    const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
    document.querySelector("input[type=file]").dispatchEvent(drop);
"""


def test_files_are_chosen_and_dropped_and_a_mistake_in_one_row_keeps_them(
    alices, goto, live_server, file, shown, press, requests
):
    content = {
        "first": pdf(),
        "second": png(30, 20),
        "third": b"third.txt",
        "fourth": b"fourth.txt",
    }
    paths = [file("first.pdf", content["first"]), file("second.png", content["second"])]
    goto(f"{live_server.url}/upload/")
    alices.type("input[type=file]", "\n".join(paths))
    alices.run(DROP)
    shown("All has come: 4 files")
    for name in ["first.pdf", "second.png", "third.txt", "fourth.txt"]:
        shown(f"Invoice of {name}")
    alices.type("[name$=-amount]", "a lot")
    press("Upload")
    shown("Look at “first.pdf”. No file has to be sent again.")
    at_its_field = "return document.querySelector('.row .invalid .errorlist').textContent"
    assert alices.run(at_its_field) == "Enter a number."
    alices.run("document.querySelector('[name$=-amount]').value = ''")
    alices.type("[name$=-amount]", "3")
    press("Upload")
    shown("4 invoices were uploaded.")
    assert saved() == content | {"third": b"third.txt", "fourth": b"fourth.txt"}
    # Four files; who it is, once; and each page, what was staged before.
    assert requests.count("/uploads/") == 7


@pytest.fixture
def line(live_server):
    with served(LineThatHolds(live_server.url)) as line:
        yield line


@pytest.fixture
def large(alices, goto, line, file):
    """A file that is on its way: a part of it has come, and more does not until the line opens."""
    path = file("large.bin", noise(4 * MiB))
    goto(f"{line.address}/upload/")
    alices.type("input[type=file]", path)
    assert line.is_held.wait(60)
    eventually(lambda: Upload.objects.filter(received__gte=MiB))
    yield path
    line.open()


@pytest.fixture
def save(large, shown, press):
    """Send the form once all has come; what had come before has not come again."""

    def save():
        shown("Has come")
        press("Upload")
        shown("Invoice 2026-0001 was uploaded.")
        assert saved() == {"large": noise(4 * MiB)}

    return save


def test_a_paused_file_goes_on(large, line, press, shown, save):
    press("Pause large.bin")
    shown("Paused")
    line.open()
    press("Go on large.bin")
    save()


def test_a_line_that_is_cut_goes_on_by_itself(large, line, shown, save):
    line.break_()
    shown("It tries again.")
    line.open()
    save()


def test_once_the_page_is_opened_again_a_file_that_is_chosen_again_goes_on(
    alices, goto, large, line, shown, save
):
    goto(f"{line.address}/upload/")
    shown("Choose the file again, and it goes on there.")
    alices.type("input[type=file]", large)
    shown("Goes on at")
    line.open()
    save()


def test_a_sound_is_loaded_and_has_its_buttons(alices, goto, invoice_of):
    goto(invoice_of("note.mp3", MP3)[0])
    duration = "return document.querySelector('audio, video')?.duration"
    assert eventually(lambda: alices.run(duration)) == pytest.approx(2.6, abs=0.1)

    def width_of_the_buttons():
        image = look(alices)
        background = Image.new("RGB", image.size, image.getpixel((3, 3)))
        drawn = ImageChops.difference(image, background).getbbox() or (0, 0, 0, 0)
        return (drawn[2] - drawn[0]) / image.width

    eventually(lambda: width_of_the_buttons() > 0.5)


SAVED = {
    "page.html": HTML,
    "page.xhtml": XHTML,
    "page.xml": XHTML,
    "drawing.svg": SVG,
    "none": HTML,
    "notes.txt": HTML,
}


@pytest.mark.parametrize("name", SAVED)
def test_what_the_browser_may_not_show_is_saved_to_disk(
    name, alices, goto, invoice_of, hostile, requests
):
    content = hostile(SAVED[name])
    address, page = invoice_of(name, content)
    goto(page)
    alices.open(address)
    saved = alices.downloads / name
    eventually(lambda: saved.exists() and saved.read_bytes() == content)
    assert "/it-ran" not in requests


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scan.png", HTML),
        ("drawing.png", SVG),
        ("page.pdf", HTML),
        ("polyglot.pdf", HTML_AND_PDF),
        ("film.mp4", SVG),
        ("film.webm", HTML),
        ("sound.mp3", XHTML),
    ],
)
def test_what_pretends_to_be_harmless_stays_harmless(
    name, text, alices, goto, invoice_of, hostile, requests
):
    for address in reversed(invoice_of(name, hostile(text))):
        goto(address)
    if name.endswith(".pdf"):  # An error, or a page.
        eventually(lambda: len(look(alices).getcolors(2**24)) > 1)
    assert "/it-ran" not in requests


@pytest.mark.parametrize(
    ("action", "arrives"),
    [
        ("/S /URI /URI (ADDRESS)", True),  # a link, as on any page
        ('/S /JavaScript /JS (this.submitForm\\({ cURL: "ADDRESS", bEmpty: true }\\))', False),
        ("/S /SubmitForm /F << /FS /URL /F (ADDRESS) >> /Flags 4", False),
        ("/S /URI /URI (javascript:new Image\\(\\).src='ADDRESS')", False),
        ("/S /URI /URI (data:text/html,<script>new Image\\(\\).src='ADDRESS'</script>)", False),
    ],
    ids=["link", "script", "form", "address-of-a-script", "page-in-an-address"],
)
def test_a_click_into_a_pdf_follows_links_alone(
    action, arrives, alices, goto, invoice_of, live_server, requests
):
    action = action.replace("ADDRESS", f"{live_server.url}/it-ran")
    goto(invoice_of("clicked.pdf", pdf_that_is_clicked(action))[0])
    eventually(lambda: share(alices, RED) > 0.1)
    alices.press(500, 400)
    if arrives:  # Links are drawn after the page: press again.
        eventually(lambda: "/it-ran" in requests or alices.press(500, 400))
    goto(f"{live_server.url}/healthz/")
    assert ("/it-ran" in requests) == arrives


def test_a_script_in_a_pdf_sends_nothing_when_it_is_opened(
    alices, goto, invoice_of, hostile, requests
):
    content = pdf_that_acts(hostile(WHEN_OPENED).decode(), "")
    goto(invoice_of("acts.pdf", content)[0])
    eventually(lambda: share(alices, GREEN) + share(alices, RED) > 0.1)
    goto(invoice_of("acts.pdf", content)[1])
    eventually(lambda: share(alices, GREEN) + share(alices, RED) > 0.1)
    assert "/it-ran" not in requests


def test_each_of_them_runs_where_it_is_let(engine, goto, hostile, requests, tmp_path):
    for name, text in {"page.html": HTML, "page.xhtml": XHTML, "drawing.svg": SVG}.items():
        requests.clear()
        path = tmp_path / name
        path.write_bytes(hostile(text))
        goto(path.as_uri())
        eventually(lambda: "/it-ran" in requests)
