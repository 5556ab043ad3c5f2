"""What others wrote for tus: their clients, over a line that is cut, and a server beside ours.

.ci/run has a leg for it, and bin/test leaves it out: it needs Node, and packages that are fetched.

Faults that users of such servers met, and where each is provoked:

| fault | test |
| --- | --- |
| two PATCHes at one offset | `test_views.py`: a second piece for one offset; `test_staging.py` |
| a stalled PATCH blocks HEAD | `test_uploads.py`: a request that hangs blocks no other |
| an offset taken from Content-Length | `test_uploads.py`: a promise of more than comes |
| each chunk truncates | `test_views.py`: a file comes in pieces; each client here |
| a proxy buffers, and all begins at 0 again | here: a line that is cut behind the proxy |
| the proxy's 413 | here: the proxy refuses a piece that is too large |
| a wrong scheme or path in `Location` | here: each client, by the address of a relay and by nginx |
| the missing slash | here: the same requests |
| metadata: empty, not ASCII, NUL, bad Base64 | here: the same requests; `test_tus.py` |
| an override of the method that is ignored | here: the same requests |
| 0 bytes: no PATCH comes | here: each client with an empty file |
| a body in chunks | `test_uploads.py`: a body of unknown length |
| `-1`, `+1`, `1_0`, too large, beyond the length | here: the same requests |
| abandoned ones fill the disk | `test_lo_expire.py`; here: nothing is left over |
| complete, and never used | `test_lo_expire.py` |
| a race for the quota | `test_staging.py`: ten at once |
| a fingerprint that is stale | here: a client that remembers an upload that is gone |
| two tabs, one file | here: two pages that send one file |
| the session or the CSRF token changes between pieces | here: who signs in again goes on |
| bodies that never end | `test_uploads.py`: bodies that never end |
"""

import hashlib
import json
import os
import random
import secrets
import shutil
import subprocess
from base64 import b64encode
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urljoin

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from invoices.models import Invoice
from lo_storage.uploads.conf import setting
from lo_storage.uploads.files import kept_files
from lo_storage.uploads.models import Upload

from .lines import Cut, Line, served
from .newcomer import environment
from .programs import free_port, program, started
from .serving import gunicorn
from .test_uploads import PIECE, TOKEN, Visitor, answer

PYTHON = ["tuspy==1.1.0", "aiotus==1.1.0"]
NODE = ["tus-js-client@4.3.1", "uppy@6.0.1", "@tus/server@2.4.5", "@tus/file-store@2.1.1"]

CUTS = 8  # docs/uploads.md adds them up
SIZE = 600_000
PIECE_SIZE = 100_000
LARGEST = setting("MAX_SIZE")
SEED = secrets.randbits(32)

TUSPY = """
import json, sys
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

endpoint, path, headers, size = sys.argv[1:]
client = TusClient(endpoint, headers=json.loads(headers))
uploader = client.uploader(
    path, chunk_size=int(size), metadata={"filename": "März.pdf"}, retries=99, retry_delay=0.02
)
while True:
    try:
        uploader.upload()
    except (TusCommunicationError, TusUploadFailed):  # of what it does not try again
        continue
    break
print(uploader.url)
"""

AIOTUS = """
import asyncio, json, sys
import aiotus

endpoint, path, headers, size = sys.argv[1:]

async def main():
    config = aiotus.RetryConfiguration(retry_attempts=99, max_retry_period_seconds=0.02)
    with open(path, "rb") as file:
        print(await aiotus.upload(
            endpoint, file, {"filename": "März.pdf".encode()}, config=config,
            headers=json.loads(headers), chunksize=int(size),
        ))

asyncio.run(main())
"""

TUS_JS = """
import { createReadStream } from "node:fs";
import * as tus from "tus-js-client";

const [endpoint, path, headers, size] = process.argv.slice(2);
const upload = new tus.Upload(createReadStream(path), {
    endpoint, headers: JSON.parse(headers), chunkSize: Number(size),
    metadata: { filename: "März.pdf" }, retryDelays: Array(99).fill(20),
    onError: (error) => { console.error(error); process.exit(1); },
    onSuccess: () => console.log(upload.url),
});
upload.start();
"""

TUS_JS_IN_A_PAGE = """
([endpoint, bytes, headers, chunkSize]) => new Promise((resolve, reject) => {
    const file = new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], "März.pdf",
                          { lastModified: 1 });
    const upload = new tus.Upload(file, {
        endpoint, headers, chunkSize, metadata: { filename: file.name },
        retryDelays: Array(99).fill(20), onError: (error) => reject(error.message),
        onSuccess: () => resolve(upload.url),
    });
    upload.findPreviousUploads().then((found) => {
        if (found.length) upload.resumeFromPreviousUpload(found[0]);
        upload.start();
    });
})
"""

UPPY_IN_A_PAGE = """
([endpoint, bytes, headers, chunkSize]) => new Promise((resolve, reject) => {
    const data = new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]);
    const uppy = new Uppy.Uppy().use(Uppy.Tus, {
        endpoint, headers, chunkSize, allowedMetaFields: ["filename"],
        retryDelays: Array(99).fill(20),
    });
    uppy.on("upload-success", (file, response) => resolve(response.uploadURL));
    uppy.on("upload-error", (file, error) => reject(error.message));
    uppy.addFile({ name: "März.pdf", data, meta: { filename: "März.pdf" } });
    uppy.upload();
})
"""

SERVER = """
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const datastore = new FileStore({
    directory: process.argv[2], expirationPeriodInMilliseconds: 600_000,
});
const server = new Server({
    path: "/uploads", datastore, relativeLocation: true, maxSize: Number(process.argv[3]),
}).listen({ host: "127.0.0.1", port: 0 }, () => console.log(server.address().port));
"""


@pytest.fixture(scope="session", autouse=True)
def queries_beside_an_event_loop():
    # Playwright's stays, and is never in the middle of anything while a test is.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="session")
def base_url():
    """None: each page says where it is."""


@pytest.fixture(scope="module")
def node(request):
    """A folder with the packages, in which scripts can be put."""
    if not (npm := shutil.which("npm")):
        pytest.fail("npm is missing: bin/apt nodejs npm")
    folder = request.config.cache.mkdir("tus-clients-of-node")
    made = folder / "made"
    if not made.exists() or made.read_text() != str(NODE):
        (folder / "package.json").write_text('{"type": "module"}')
        command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
        done = subprocess.run([*command, *NODE], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        made.write_text(str(NODE))
    return folder


@pytest.fixture(scope="module")
def commands(request, node, tmp_path_factory):
    """Each client by its command, which takes an endpoint, file, headers and size of a piece."""
    python = environment(request.config.cache.mkdir("tus-clients-of-python"), *PYTHON)
    (node / "upload.js").write_text(TUS_JS)
    return {
        "tuspy": [python, "-c", TUSPY],
        "aiotus": [python, "-c", AIOTUS],
        "tus-js-client": ["node", node / "upload.js"],
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory, django_db_setup, django_db_blocker):
    folder = tmp_path_factory.mktemp("server")
    with (
        django_db_blocker.unblock(),
        gunicorn(folder, "--threads=16", application="tests.uploads_site") as (_, address, log),
    ):
        yield address
    assert "lo_storage/uploads/views" not in log.read_text()  # in a traceback


@pytest.fixture
def ada(transactional_db):
    return get_user_model().objects.create_user("ada")


@pytest.fixture
def session(ada, settings):
    return session_of(ada, settings)


def session_of(user, settings):
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def headers(session):
    return {"Cookie": f"sessionid={session}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN}


@pytest.fixture
def saved(ada, objects_before):
    """A function that lets a row take an upload by its address, and returns the file's bytes."""

    def saved(address):
        id = address.rstrip("/").rpartition("/")[2]
        (file,) = kept_files("default", ada, {"data": [id]})["data"]
        assert file.name == "März.pdf"
        invoice = Invoice.objects.create(owner=ada, issued="2026-03-02", number=1, data=file)
        with invoice.data as file:
            return file.read()

    yield saved
    # A client whose POST was cut does not know what it has begun: that expires.
    Invoice.objects.all().delete()
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    call_command("lo_expire", verbosity=0)
    assert objects() == objects_before


@pytest.fixture
def objects_before(transactional_db):
    return objects()


def objects():
    with connection.cursor() as cursor:
        cursor.execute("select oid from pg_largeobject_metadata order by oid")
        return cursor.fetchall()


class CutLine(Line):
    """Cuts its connections after so many bytes, both ways counted."""

    def __init__(self, address, rng):
        super().__init__(address)
        self.rng, self.left, self.cuts = rng, 0, 0

    def begin(self):
        return [self.rng.randrange(1, SIZE // CUTS)]

    async def look(self, data, sink, counted):
        if self.left > 0 and len(data) > counted[0]:
            self.left -= 1
            self.cuts += 1
            sink.write(data[: counted[0]])
            raise Cut
        counted[0] -= len(data)


@pytest.fixture
def cut(site):
    print(f"SEED {SEED}")
    with served(CutLine(site, random.Random(SEED))) as cut:
        yield cut


@pytest.fixture
def content():
    return random.Random(SEED).randbytes(SIZE)


@pytest.fixture
def send(commands, headers, tmp_path):
    """A function that lets a client send bytes, and returns the address of the upload."""

    def send(name, site, content, **more):
        path = tmp_path / "a.pdf"
        path.write_bytes(content)
        arguments = [f"{site}/uploads/", path, json.dumps(headers | more), str(PIECE_SIZE)]
        done = subprocess.run(
            [*commands[name], *arguments], capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return send


@pytest.fixture
def page(new_context, session, node):
    """A page of the site that has the clients, in a browser that is signed in."""
    context = new_context(bypass_csp=True)  # which forbids the scripts that are put in here

    def page(site):
        cookies = {"sessionid": session, "csrftoken": TOKEN}
        context.add_cookies([{"name": k, "value": v, "url": site} for k, v in cookies.items()])
        page = context.new_page()
        page.goto(f"{site}/healthz/")
        packages = node / "node_modules"
        for script in ("tus-js-client/dist/tus.min.js", "uppy/dist/uppy.min.js"):
            page.add_script_tag(path=packages / script)
        return page

    return page


def send_in(page, script, site, content):
    given = [f"{site}/uploads/", b64encode(content).decode(), {"X-CSRFToken": TOKEN}, PIECE_SIZE]
    return page.evaluate(script, given)


@pytest.mark.parametrize("name", ["tuspy", "aiotus", "tus-js-client"])
def test_a_client_comes_to_an_end_over_a_line_that_is_cut(name, send, cut, content, saved):
    cut.left = CUTS
    address = send(name, cut.address, content)
    assert cut.cuts == CUTS
    assert saved(address) == content


@pytest.mark.parametrize("script", [TUS_JS_IN_A_PAGE, UPPY_IN_A_PAGE], ids=["tus-js", "uppy"])
def test_a_page_comes_to_an_end_over_a_line_that_is_cut(script, page, cut, content, saved):
    opened = page(cut.address)
    cut.left = CUTS
    address = send_in(opened, script, cut.address, content)
    assert cut.cuts == CUTS
    assert saved(address) == content


@pytest.mark.parametrize("name", ["tuspy", "aiotus", "tus-js-client"])
def test_a_client_sends_an_empty_file(name, send, site, saved):
    assert saved(send(name, site, b"")) == b""


def test_a_client_that_remembers_an_upload_that_is_gone_begins_anew(page, site, content, saved):
    opened = page(site)
    first = send_in(opened, TUS_JS_IN_A_PAGE, site, content)
    Upload.objects.all().delete()
    second = send_in(opened, TUS_JS_IN_A_PAGE, site, content)
    assert second != first
    assert saved(second) == content


@contextmanager
def nginx(folder, site):
    """A proxy that takes a piece as a whole before it passes it on, and no large one."""
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"""
        {user} daemon off; pid {folder}/pid; error_log stderr;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {folder}/requests; proxy_temp_path {folder}/answers;
            client_max_body_size 300k;
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass {site.replace("localhost", "127.0.0.1")};
                    proxy_set_header Host $http_host;
                }}
            }}
        }}
        """
    )
    command = [program("nginx"), "-e", "stderr", "-c", folder / "nginx.conf"]
    with started(command, port, folder / "log"):
        yield f"http://localhost:{port}"


@pytest.fixture
def proxy(site, tmp_path):
    with nginx(tmp_path, site) as address:
        yield address


def test_a_line_that_is_cut_before_a_proxy_costs_a_piece(proxy, send, content, saved):
    print(f"SEED {SEED}")
    with served(CutLine(proxy, random.Random(SEED))) as cut:
        cut.left = CUTS
        address = send("tus-js-client", cut.address, content)
    assert cut.cuts == CUTS
    assert saved(address) == content


def test_a_piece_that_is_too_large_for_the_proxy_leaves_the_offset_true(proxy, session, ada):
    visitor = Visitor(proxy, session)
    address = visitor.create(SIZE)
    too_large = {"Upload_Offset": 0, "Content_Length": 400_000, **PIECE}
    with visitor.begun("PATCH", address, **too_large) as connection:
        assert answer(connection).status == 413
    assert visitor.offset(address) == 0
    assert visitor.ask("PATCH", address, bytes(200_000), Upload_Offset=0, **PIECE).status == 204


def test_two_pages_that_send_one_file_come_to_one_end(page, site, content, saved):
    """Each of them ends the other's piece, until one has sent the last."""
    content = content[: 2 * PIECE_SIZE]
    pages = [page(site), page(site)]
    for opened in pages:
        given = [
            f"{site}/uploads/",
            b64encode(content).decode(),
            {"X-CSRFToken": TOKEN},
            PIECE_SIZE,
        ]
        opened.evaluate(
            f"(given) => {{ window.sent = ({TUS_JS_IN_A_PAGE.strip()})(given) }}", given
        )
    addresses = [opened.evaluate("window.sent") for opened in pages]
    assert saved(addresses[0]) == content


def test_who_signs_in_again_goes_on(site, ada, settings):
    old = Visitor(site, session_of(ada, settings))
    address = old.create(6)
    assert old.ask("PATCH", address, b"abc", Upload_Offset=0, **PIECE).status == 204
    Session.objects.all().delete()
    assert old.ask("PATCH", address, b"def", Upload_Offset=3, **PIECE).status == 401
    new = Visitor(site, session_of(ada, settings))
    new.headers |= {"Cookie": new.headers["Cookie"].replace(TOKEN, "b" * 32)}
    assert new.ask("PATCH", address, b"def", Upload_Offset=3, **PIECE).status == 403
    new.headers |= {"X-CSRFToken": "b" * 32}
    assert new.ask("PATCH", address, b"def", Upload_Offset=3, **PIECE).status == 204
    assert Upload.objects.get().sha256 == hashlib.sha256(b"abcdef").hexdigest()


class Asked(NamedTuple):
    """A request of an upload of ten bytes, of which four have come (`STAGED`), or of none.

    `ours` is the status that we answer where the peer's answer is another one, and `why`.
    """

    method: str
    address: str
    body: bytes
    headers: dict
    ours: int = 0
    why: str = ""


STAGED, NONE = "{id}", "2c1f4c2e-5a7b-4f2e-9f0e-000000000000"


def creates(ours=0, why="", **headers):
    headers = {"Upload_Length": 10, "Content_Length": 0} | headers
    return Asked("POST", "/uploads/", b"", headers, ours, why)


def named(metadata, ours=0, why=""):
    return creates(ours, why, Upload_Metadata=metadata)


def sends(ours=0, why="", body=b"efg", address=STAGED, method="PATCH", **headers):
    headers = {"Upload_Offset": 4, **PIECE} | headers
    return Asked(method, address, body, headers, ours, why)


VERSION = 412, "the protocol has this status for another version"
TEXT = 400, "a name is text, which has no NUL and is UTF-8"
NOTHING = 201, "what names nothing is no mistake"
OFFSET = 409, "the peer does not say where it goes on"
ASKED = [
    Asked("OPTIONS", "/uploads/", b"", {}),
    creates(),
    creates()._replace(address="/uploads"),
    *[creates(Upload_Length=length) for length in (0, "", "-1", "+1", "1_0", "1.5", "0x10", "abc")],
    *[creates(Upload_Length=length) for length in (LARGEST, LARGEST + 1, "9" * 30)],
    creates(201, "it speaks of an extension that we do not have", Upload_Defer_Length=1),
    creates(*VERSION, Tus_Resumable="0.2.2"),
    *[
        named(it)
        for it in ("filename", "filename ", "filename YQ==", "filename YQ==,is_confidential")
    ],
    *[named(it) for it in ("filename ***", "filename YQ", "filename YQ== YQ==", "ä YQ==")],
    named("filename YQ==,filename YQ=="),
    *[named(it, *NOTHING) for it in ("", ",")],
    *[named(it, *TEXT) for it in ("filename YQBi", "filename /w==")],
    Asked("DELETE", NONE, b"", {}),
    Asked("HEAD", NONE, b"", {}, 404, "the peer lets a cache keep it"),
    *[Asked(method, STAGED, b"", {}) for method in ("HEAD", "DELETE")],
    Asked("HEAD", STAGED, b"", {"Tus_Resumable": "0.2.2"}, *VERSION),
    sends(),
    sends(body=b"", Content_Length=0),
    sends(204, "an upload that is complete expires, too, until a row has it", body=b"efghij"),
    sends(body=b"efghijk"),
    sends(address=NONE),
    sends(Transfer_Encoding="chunked"),  # beside a Content-Length
    sends(415, "the protocol has this status for it", **{"Content-Type": "text/plain"}),
    *[sends(*OFFSET, Upload_Offset=offset) for offset in (0, 3, 5, 10, 11)],
    *[sends(Upload_Offset=offset) for offset in ("", "-4", "+4", "4_0", "four")],
    Asked("PATCH", STAGED, b"efg", PIECE, 400, "403 would say that the user may not"),
    sends(204, "the peer does not know it", method="POST", X_HTTP_Method_Override="PATCH"),
]


@pytest.fixture(scope="module")
def peer(node, tmp_path_factory):
    """The server that the makers of the protocol wrote, and keep."""
    (node / "server.js").write_text(SERVER)
    command = ["node", node / "server.js", tmp_path_factory.mktemp("peer"), str(LARGEST)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://localhost:{process.stdout.readline().strip()}"
        process.terminate()


# What each method must have in its answer, as it is, or at all.
HEADERS = {
    "OPTIONS": ["Tus-Version", "Tus-Max-Size"],
    "HEAD": ["Tus-Resumable", "Upload-Offset", "Upload-Length", "Cache-Control"],
    "PATCH": ["Tus-Resumable", "Upload-Offset"],
    "POST": ["Tus-Resumable"],
    "DELETE": ["Tus-Resumable"],
}
ARE_THERE = {"POST": ["Location"], "PATCH": ["Upload-Expires"]}


def answered(visitor, asked):
    """What a server answers: the status, some headers, and whether others are there."""
    address = asked.address
    if address in {STAGED, NONE}:
        created = visitor.ask("POST", "/uploads/", Upload_Length=10, Content_Length=0)
        address = urljoin("/uploads/", created.headers["Location"])
        sent = visitor.ask("PATCH", address, b"abcd", Upload_Offset=0, **PIECE)
        assert sent.headers["Upload-Offset"] == "4"
        if asked.address == NONE:
            address = address.replace(address.strip("/").rpartition("/")[2], NONE)
    answer = visitor.ask(asked.method, address, asked.body, **asked.headers)
    return (
        answer.status,
        {name: answer.headers[name] for name in HEADERS[asked.method]},
        [name in answer.headers for name in ARE_THERE.get(asked.method, [])],
    )


@pytest.fixture
def both(site, peer, session):
    return Visitor(site, session), Visitor(peer, session)


def test_the_same_requests_have_the_same_answers_as_from_the_server_of_its_makers(both):
    for asked in ASKED:
        ours, theirs = (answered(visitor, asked) for visitor in both)
        if asked.why:
            assert (ours[0], ours != theirs) == (asked.ours, True), (asked, theirs)
        else:
            assert ours == theirs, asked
