"""Whatever was uploaded is hostile: it is kept, and it never runs."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.signals import request_started
from playwright.sync_api import Error, expect

from invoices.models import Invoice

from .files import pdf, pdf_that_acts, png
from .steps import colour, eventually, upload

# Each asks for an address that tells that a script ran.
SCRIPT = "new Image().src = 'ADDRESS'"
BODY = f"""<script>{SCRIPT}</script><img src="x" onerror="{SCRIPT}"/>"""
HTML = f"<!doctype html><html><head><title>Hello</title></head><body>{BODY}</body></html>"
XHTML = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{BODY}</body></html>'
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" onload="{SCRIPT}"><a xmlns:x="http://www.w3.org/1999/xhtml">
<x:script>{SCRIPT}</x:script></a><rect width="9" height="9"/></svg>"""

# Each is two things at once.
HTML_AND_PDF = f"{HTML}\n{pdf(colour=(0, 1, 0)).decode()}"
SCRIPT_AND_PDF = f"/*\n{pdf().decode()}\n*/ globalThis.postMessage?.('it ran')"
STYLE_AND_PDF = f"/*\n{pdf().decode()}\n*/ body {{ display: none }}"


@pytest.fixture(scope="module")
def browser(browser_type, whole_launch_args):
    with browser_type.launch(**whole_launch_args) as browser:
        yield browser


@pytest.fixture
def hostile(base_url, sample):
    """Write a hostile file."""
    return lambda name, text: sample(name, text.replace("ADDRESS", f"{base_url}/it-ran").encode())


@pytest.fixture
def asked_for(context):
    """The addresses that the browser asks for."""
    addresses = []
    context.on("request", lambda request: addresses.append(request.url))
    return addresses


def ran(addresses):
    return any(address.endswith("/it-ran") for address in addresses)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", HTML),
        ("page.xhtml", XHTML),
        ("drawing.svg", SVG),
        ("polyglot.html", HTML_AND_PDF),
    ],
)
def test_each_of_them_runs_where_it_is_let(name, text, page, hostile):
    with page.expect_request("**/it-ran"):
        page.goto(hostile(name, text).as_uri())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", HTML),
        ("page.htm", HTML),
        ("page.xhtml", XHTML),
        ("page.xml", XHTML),
        ("drawing.svg", SVG),
        ("page.shtml", HTML),
        ("page.mhtml", HTML),
        ("page.html.gz", HTML),
        ("none", HTML),
    ],
)
def test_what_can_run_is_saved_to_disk(name, text, alices_page, hostile, asked_for):
    page = alices_page
    page.goto("/upload/")
    file = hostile(name, text)
    upload(page, file)
    expect(page.get_by_text("There is no preview of this kind of file.")).to_be_visible()
    address = Invoice.objects.get().data.url
    with page.expect_download() as event, pytest.raises(Error, match="Download is starting"):
        page.goto(address)
    assert event.value.suggested_filename == name
    assert event.value.path().read_bytes() == file.read_bytes()
    expect(page.get_by_role("heading", name="Preview")).to_be_visible()
    assert not ran(asked_for)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scan.png", HTML),
        ("page.svg.png", HTML),
    ],
)
def test_what_pretends_to_be_harmless_stays_harmless(name, text, alices_page, hostile, asked_for):
    page = alices_page
    page.goto("/upload/")
    upload(page, hostile(name, text))
    expect(page.get_by_role("heading", name="Preview")).to_be_visible()
    page.goto(Invoice.objects.get().data.url)
    page.wait_for_load_state("networkidle")
    assert page.title() != "Hello"
    assert not ran(asked_for)


@pytest.mark.parametrize("name", ["notes.txt", "page.html.txt"])
def test_a_text_that_is_html_is_shown_as_a_text(name, alices_page, hostile, asked_for):
    page = alices_page
    page.goto("/upload/")
    file = hostile(name, HTML)
    upload(page, file)
    expect(page.get_by_role("region", name=name)).to_contain_text("<script>")
    with page.expect_download() as event, pytest.raises(Error, match="Download is starting"):
        page.goto(Invoice.objects.get().data.url)
    assert event.value.path().read_bytes() == file.read_bytes()
    assert not ran(asked_for)


def test_html_that_is_a_pdf_too_is_shown_as_a_pdf(
    alices_page, alice, hostile, invoice_of, asked_for
):
    page = alices_page
    file = hostile("polyglot.pdf", HTML_AND_PDF).read_bytes()
    page.goto(invoice_of(alice, file, "polyglot.pdf").data.url)
    eventually(lambda: colour(page, 640, 500) == (0, 255, 0))
    assert page.title() != "Hello"
    assert not ran(asked_for)


@pytest.fixture
def received():
    """What the server is asked for: each request's environment."""
    requests = []

    def note(environ, **kwargs):
        requests.append(environ)

    request_started.connect(note)
    yield requests
    request_started.disconnect(note)


@pytest.fixture
def viewer(browser_type, whole_launch_args):
    """A browser whose PDF viewer may ask servers of this machine, as it may those of others."""
    switches = [*whole_launch_args["args"], "--disable-features=LocalNetworkAccessChecks"]
    with browser_type.launch(**{**whole_launch_args, "args": switches}) as browser:
        yield browser.new_page()


# It turns the page once it has tried to send something, and found nothing of a web page.
WHEN_OPENED = """
for (const send of [
  () => this.submitForm({ cURL: "ADDRESS", bEmpty: true }),
  () => app.launchURL("ADDRESS"),
  () => this.getURL("ADDRESS"),
]) {
  try { send() } catch {}
}
if ([typeof document, typeof fetch, typeof XMLHttpRequest, typeof Image].every(
  (type) => type === "undefined"
)) app.setInterval("this.pageNum = 1", 100)
"""
WHEN_CLICKED = """this.submitForm({ cURL: "ADDRESS", bEmpty: true })"""


def test_a_script_in_a_pdf_sends_nothing_before_a_click_and_then_without_the_cookie(
    viewer, alice, sign_in, invoice_of, base_url, received
):
    def to_it_ran():
        return [request for request in received if request["PATH_INFO"] == "/it-ran"]

    tried = []
    viewer.context.on("request", lambda request: tried.append(request))
    sign_in(viewer.context, alice)
    scripts = [
        script.replace("ADDRESS", f"{base_url}/it-ran") for script in (WHEN_OPENED, WHEN_CLICKED)
    ]
    address = base_url + invoice_of(alice, pdf_that_acts(*scripts), "acts.pdf").data.url

    viewer.goto(address)
    eventually(lambda: colour(viewer, 640, 500) == (255, 0, 0))  # It has run.
    assert "sessionid=" in received[0]["HTTP_COOKIE"]
    assert not ran(request.url for request in tried)
    assert not to_it_ran()

    with viewer.expect_request("**/it-ran") as event:
        viewer.mouse.click(640, 500)
    (request,) = eventually(to_it_ran)
    assert (request["REQUEST_METHOD"], request["HTTP_ORIGIN"]) == ("POST", "null")
    assert "HTTP_COOKIE" not in request
    assert f"/F({address})" in event.value.post_data


@pytest.mark.parametrize(
    ("name", "text"), [("film.webm", HTML), ("film.mp4", SVG), ("sound.mp3", XHTML)]
)
def test_what_pretends_to_be_a_film_runs_no_script(
    name, text, alices_page, alice, hostile, invoice_of, asked_for
):
    page = alices_page
    page.goto(invoice_of(alice, hostile(name, text).read_bytes(), name).data.url)
    state = "document.querySelector('video').networkState"
    eventually(lambda: page.evaluate(state) == 3)  # it has looked, and there is no film
    assert page.title() != "Hello"
    assert not ran(asked_for)


def test_a_name_and_a_title_are_text(alices_page, sample, asked_for):
    page = alices_page
    name = '<img src=x onerror="fetch(`it-ran`)">.txt'
    page.goto("/upload/")
    page.get_by_label("Title").fill("<script>fetch('/it-ran')</script>")
    upload(page, sample(name, b"content"))
    expect(page.get_by_role("heading", name="<script>fetch('/it-ran')</script>")).to_be_visible()
    expect(page.get_by_text(name, exact=True)).to_be_visible()
    for address in ["/", "/?q=<script>fetch('/it-ran')</script>"]:
        page.goto(address)
        expect(page.get_by_role("link", name=name)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not ran(asked_for)


def test_a_name_hides_no_end(alices_page, alice, sample):
    """It looks like `invoiceexe.pdf` where it is shown as it is."""
    page = alices_page
    name, shown = "invoice\u202efdp.exe", "invoice[U+202E]fdp.exe"
    page.goto("/upload/")
    upload(page, sample(name, b"content"))
    expect(page.get_by_role("definition").get_by_text(shown, exact=True)).to_be_visible()
    for address in ["Replace file", "Delete"]:
        page.get_by_role("link", name=address).click()
        expect(page.get_by_text(shown).first).to_be_visible()
        page.go_back()
    page.goto("/")
    link = page.get_by_role("link", name=shown)
    with page.expect_download() as event:
        link.click()
    # Where it is saved, it has its name; Chromium's own dialogs take care of it.
    assert event.value.suggested_filename in {name, name.replace("\u202e", "_")}
    alice.is_staff = alice.is_superuser = True
    alice.save()
    for address in ["/admin/invoices/invoice/", "/admin/lo_storage/largeobject/"]:
        page.goto(address)
        expect(page.get_by_text(shown, exact=True)).to_be_visible()


# Each way to run a file that a page of the site could be made to name; "ran" or why it did not.
INCLUDE = """async ([address, way]) => {
  const loads = (element) => new Promise((resolve) => {
    element.onload = () => resolve("ran");
    element.onerror = () => resolve("refused");
    document.head.append(element);
  });
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  try {
    switch (way) {
      case "script": return await loads(make("script", { src: address }));
      case "module": await import(address); return "ran";
      case "style": return await loads(make("link", { rel: "stylesheet", href: address }));
      case "service worker": await navigator.serviceWorker.register(address); return "ran";
      case "worker": return await new Promise((resolve) => {
        const worker = new Worker(address);
        worker.onmessage = () => resolve("ran");
        worker.onerror = () => resolve("refused");
      });
    }
  } catch {
    return "refused";
  }
}"""
WAYS = ["script", "module", "style", "service worker", "worker"]


@pytest.fixture
def neighbour(tmp_path):
    """Another site: it serves a folder, and its address is not that of the invoices."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    folder = tmp_path / "neighbour"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_that_includes_what_it_should_not_runs_it(page, neighbour):
    folder, port = neighbour
    (folder / "index.html").write_text("<!doctype html><title>Hello</title>")
    (folder / "code.js").write_text(SCRIPT_AND_PDF)
    (folder / "code.css").write_text(STYLE_AND_PDF)
    page.goto(f"http://127.0.0.1:{port}/")
    for way in WAYS:
        address = f"/code.{'css' if way == 'style' else 'js'}"
        assert page.evaluate(INCLUDE, [address, way]) == "ran"


def test_no_page_can_be_made_to_include_a_file_as_code(alices_page, alice, invoice_of):
    page = alices_page
    page.goto("/")
    for name in ["code.js", "code.txt", "code.pdf", "code.png", "code.mp4", "code"]:
        script = invoice_of(alice, SCRIPT_AND_PDF.encode(), name).data.url
        style = invoice_of(alice, STYLE_AND_PDF.encode(), name).data.url
        for way in WAYS:
            result = page.evaluate(INCLUDE, [style if way == "style" else script, way])
            assert (name, way, result) == (name, way, "refused")


# By another name it gets no cookie; from another port of the same one it does.
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_other_site_can_include_a_file(
    host, alices_page, alice, invoice_of, neighbour, base_url
):
    page, (folder, port) = alices_page, neighbour
    image = base_url + invoice_of(alice, png(), "scan.png").data.url
    scan = base_url + invoice_of(alice, png(), "framed.png").data.url
    (folder / "index.html").write_text(f'<!doctype html><iframe src="{scan}"></iframe>')
    page.goto(f"http://{host}:{port}/")
    page.frames[1].wait_for_url("chrome-error://chromewebdata/", wait_until="commit")
    show = """(src) => new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve("shown");
      image.onerror = () => resolve("refused");
      image.src = src;
    })"""
    assert page.evaluate(show, f"{base_url}/static/favicon.svg") == "shown"
    assert page.evaluate(show, image) == "refused"
    read = "(address) => fetch(address, {credentials: 'include'}).catch(() => 'refused')"
    assert page.evaluate(read, image) == "refused"
