"""db_serve hands over to nginx: `nginx.conf`, and the site behind it, as in docker-compose.yml."""

import json
import os
import re
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import indent
from time import time

import pytest
import requests
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.utils import timezone

from invoices import links
from invoices.models import Invoice
from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage

from . import test_proxy
from .pages import ROOT, blocks
from .programs import free_port
from .serving import database, gunicorn
from .slow_clients import opened, sign_in
from .test_embedded_postgres import until
from .web_servers import running

alice, certificate, session = test_proxy.alice, test_proxy.certificate, test_proxy.session

MiB = 2**20
CONTENT = os.urandom(9 * MiB + 12_345)
SLICES = 3
# More than what the kernel takes for a client that does not read.
LARGE = os.urandom(24 * MiB)
ON = {**test_proxy.PRODUCTION, "X_ACCEL": "1"}


class Site:
    """The site behind nginx, and what both have done."""

    def __init__(self, folder, group, address):
        self.folder, self.group, self.address = folder, group, address

    def slices(self):
        """How many slices nginx has asked for."""
        return len(re.findall(r'"GET /x-accel/', (self.folder / "server.log").read_text()))

    def kept(self):
        """The files in the cache; the last one is there after the client has it."""
        return [path for path in (self.folder / "contents").rglob("*") if path.is_file()]

    def keeps(self, number):
        """Wait until it keeps so many files, and return them."""
        return until(lambda: len(kept := self.kept()) == number and kept)


@contextmanager
def handing_over(folder, certificate, changes=(), **settings):
    folder.mkdir()
    text = (ROOT / "nginx.conf").read_text()
    for old, new in dict(changes).items():
        assert old in text
        text = text.replace(old, new)
    with (
        gunicorn(folder, test_proxy.CONFIG, **settings) as (group, behind, _),
        test_proxy.nginx(folder, certificate, behind.rpartition(":")[2], text) as (_, address, _),
    ):
        yield Site(folder, group, address)


@pytest.fixture
def on(transactional_db, certificate, tmp_path):
    with handing_over(tmp_path / "on", certificate, **ON) as site:
        yield site


@pytest.fixture
def save(alice):
    """A function that stores an invoice of alice's."""

    def save(content=CONTENT, name="scan.pdf"):
        return Invoice.objects.create(
            owner=alice,
            number="2026-0001",
            issued=timezone.localdate(),
            data=ContentFile(content, name),
        )

    return save


def url(site, invoice):
    return f"{site.address}{invoice.data.url}"


def overwrite(invoice):
    with transaction.atomic(), invoice.data.open("r+b") as file:
        file.write(b"another")


def stranger(site, certificate):
    """A session of another user."""
    get_user_model().objects.create_user("bob", password="b-Secret-1")
    session = requests.Session()
    session.trust_env, session.verify = False, str(certificate)
    sign_in(session, site.address, "bob", "b-Secret-1")
    return session


def test_who_may_is_asked_each_time_and_for_the_bytes_once(on, certificate, session, save):
    invoice = save()
    sign_in(session, on.address, "alice", "a-Secret-1")
    for _ in range(2):
        began = int(time())
        answer = session.get(url(on, invoice))
        assert (answer.status_code, answer.content) == (200, CONTENT)
        until(lambda: on.slices() == SLICES)
        until(lambda began=began: int(time()) > began)  # and another signature
    with stranger(on, certificate) as bob:
        assert bob.get(url(on, invoice)).status_code == 404
    assert requests.get(url(on, invoice), verify=certificate, allow_redirects=False).is_redirect
    assert session.get(url(on, invoice)).content == CONTENT
    assert on.slices() == SLICES
    on.keeps(SLICES)


def test_who_asks_at_once_gets_the_same_slices(
    transactional_db, certificate, session, save, tmp_path
):
    """Also where the database takes longer than the 5 s for which nginx waits by default."""
    slowly = {"slice 4m;": "slice 4m; proxy_limit_rate 600k;"}
    with handing_over(tmp_path / "on", certificate, slowly, **ON) as on:
        invoice = save(CONTENT[: 4 * MiB])
        sign_in(session, on.address, "alice", "a-Secret-1")
        with ThreadPoolExecutor() as pool:
            asked = [pool.submit(session.get, url(on, invoice)) for _ in range(2)]
        assert [answer.result().content for answer in asked] == [CONTENT[: 4 * MiB]] * 2
        until(lambda: on.slices() > 0)
        assert on.slices() == 1
        on.keeps(1)


@pytest.mark.parametrize(
    ("start", "end", "asked"),
    [
        (0, 1, "bytes=0-0"),
        (4 * MiB - 1, 4 * MiB + 1, f"bytes={4 * MiB - 1}-{4 * MiB}"),
        (8 * MiB, None, f"bytes={8 * MiB}-"),
        (-500, None, "bytes=-500"),
        (1000, None, "bytes=1000-99999999"),
    ],
)
def test_ranges(on, session, save, start, end, asked):
    invoice = save()
    sign_in(session, on.address, "alice", "a-Secret-1")
    etag = session.head(url(on, invoice)).headers["ETag"]
    part = CONTENT[start:end]
    for headers in [{}, {"If-Range": etag}]:
        answer = session.get(url(on, invoice), headers={"Range": asked, **headers})
        assert (answer.status_code, answer.content) == (206, part)
    assert on.slices() > 0


def test_what_nginx_reads_otherwise_the_site_sends(on, session, save):
    invoice = save()
    sign_in(session, on.address, "alice", "a-Secret-1")
    whole = session.head(url(on, invoice)).headers
    for headers, status in [
        ({"If-None-Match": whole["ETag"]}, 304),
        ({"If-Modified-Since": whole["Last-Modified"]}, 304),
        ({"If-Match": '"another"'}, 412),
        ({"If-Match": "*", "If-Unmodified-Since": "yesterday"}, 200),
        ({"Range": "bytes=0-1,5-6"}, 206),
        ({"Range": "bytes=99999999-"}, 416),
        ({"Range": "bytes=2000000-1"}, 200),
        ({"Range": "bytes=2000000-", "If-Range": '"another"'}, 200),
        ({"Range": "lines=1-2"}, 200),
    ]:
        answer = session.get(url(on, invoice), headers=headers)
        assert (answer.status_code, answer.reason) == (status, answer.reason), headers
        if status == 200:
            assert answer.content == CONTENT
    assert on.slices() == 0


def test_all_headers_are_those_of_the_site(on, certificate, session, save, tmp_path):
    invoice = save(name="März.mp4")
    link = f"/link/{links.token_for(invoice, timezone.now() + timezone.timedelta(days=1))}"
    paths = [invoice.data.url, f"{invoice.data.url}?download", link]
    asked = [
        {},
        {"Range": "bytes=5-9"},
        {"If-None-Match": '"another"'},
        {"Accept-Encoding": "gzip"},
    ]
    with handing_over(tmp_path / "off", certificate, **test_proxy.PRODUCTION) as off:
        sign_in(session, on.address, "alice", "a-Secret-1")
        for path in paths:
            for headers in asked:
                one, other = (
                    session.get(f"{site.address}{path}", headers=headers) for site in [off, on]
                )
                for answer in (one, other):
                    del answer.headers["Date"]
                if one.status_code == 206:  # with which nginx never says it
                    del one.headers["Accept-Ranges"]
                assert other.status_code == one.status_code
                assert dict(other.headers.lower_items()) == dict(one.headers.lower_items())
                assert other.content == one.content
        assert on.slices() == SLICES
        assert off.slices() == 0 == len(off.kept())


def test_what_is_small_comes_with_its_row(on, session, save):
    invoice = save(b"small")
    sign_in(session, on.address, "alice", "a-Secret-1")
    assert session.get(url(on, invoice)).content == b"small"
    assert on.slices() == 0 == len(on.kept())


def test_what_was_deleted_is_refused_at_once_and_its_bytes_go(
    transactional_db, certificate, session, save, tmp_path
):
    quickly = {"inactive=10m": "inactive=1s"}
    with handing_over(tmp_path / "on", certificate, quickly, **ON) as on:
        invoice = save()
        sign_in(session, on.address, "alice", "a-Secret-1")
        assert session.get(url(on, invoice)).content == CONTENT
        assert on.kept()
        invoice.delete()
        assert session.get(url(on, invoice)).status_code == 404
        until(lambda: not on.kept())


@pytest.mark.parametrize(("said", "how_long"), [("", "10m"), ("1h", "1h")])
def test_one_variable_of_compose_says_how_long(tmp_path, said, how_long):
    services = test_proxy.COMPOSE["services"]
    assert services["web"]["environment"]["X_ACCEL"] == "${KEEP_CONTENTS:+1}"
    proxy = services["proxy"]
    assert proxy["environment"] == {"KEEP_CONTENTS": "${KEEP_CONTENTS:-}"}
    command = proxy["command"][2].replace("$$", "$").partition("&&")[0]
    command = command.replace("/etc/nginx/nginx.conf", f"{ROOT}/nginx.conf")
    command = command.replace("/run/nginx.conf", f"{tmp_path}/nginx.conf")
    subprocess.run(["sh", "-c", command], env={"KEEP_CONTENTS": said}, check=True)
    text = (ROOT / "nginx.conf").read_text()
    expected = text.replace("inactive=10m", f"inactive={how_long}")
    assert (tmp_path / "nginx.conf").read_text() == expected


def test_what_nginx_keeps_is_for_nginx_alone(on, session, save):
    sign_in(session, on.address, "alice", "a-Secret-1")
    session.get(url(on, save()))
    for path in on.keeps(SLICES):
        assert path.stat().st_mode & 0o077 == 0
    assert (on.folder / "contents").stat().st_mode & 0o077 == 0


def test_what_was_overwritten_is_new(on, session, save):
    invoice = save()
    sign_in(session, on.address, "alice", "a-Secret-1")
    before = session.get(url(on, invoice))
    overwrite(invoice)
    after = session.get(url(on, invoice))
    assert after.content == b"another" + CONTENT[7:]
    assert after.headers["ETag"] != before.headers["ETag"]
    resumed = {"Range": "bytes=100-", "If-Range": before.headers["ETag"]}
    assert session.get(url(on, invoice), headers=resumed).status_code == 200


def test_after_a_restore_to_a_moment_no_other_bytes_have_the_address(on, session, save):
    """The number, the version and the time of creation are then given a second time."""
    invoice = save()
    row = LargeObject.objects.values("version", "created_at").get()
    sign_in(session, on.address, "alice", "a-Secret-1")
    assert session.get(url(on, invoice)).content == CONTENT
    overwrite(invoice)
    LargeObject.objects.update(**row)
    assert session.get(url(on, invoice)).content == b"another" + CONTENT[7:]


def test_an_address_that_is_not_from_here_finds_nothing(on, session, save, tmp_path):
    invoice = save()
    sign_in(session, on.address, "alice", "a-Secret-1")
    assert "X-Accel-Redirect" not in session.get(url(on, invoice)).headers
    behind, forwarded, address = past_nginx(on, session, invoice)
    assert session.get(f"{on.address}{address}").status_code == 404
    path, _, signature = address.partition("?")
    for forged in [
        f"{address[:-1]}{'a' if address[-1] != 'a' else 'b'}",
        *("/x-accel/a", f"/x-accel/a?{signature}", path, address[:-9]),
    ]:
        assert requests.get(f"{behind}{forged}", headers=forwarded).status_code == 404


def test_who_gets_past_nginx_is_given_what_no_browser_runs(on, session, save):
    invoice = save()
    sign_in(session, on.address, "alice", "a-Secret-1")
    behind, forwarded, address = past_nginx(on, session, invoice)
    inside = requests.get(f"{behind}{address}", headers=forwarded)
    assert (inside.status_code, inside.content) == (200, CONTENT)
    assert inside.headers["X-Content-Type-Options"] == "nosniff"
    assert inside.headers["Content-Security-Policy"].endswith("; sandbox")
    assert inside.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Content-Type" not in inside.headers
    overwrite(invoice)
    changed = requests.get(f"{behind}{address}", headers=forwarded)
    assert (changed.status_code, changed.headers["Retry-After"]) == (503, "1")


def past_nginx(site, session, invoice):
    """Where the site itself is, a header that it needs, and the address that it tells a person."""
    log = (site.folder / "server.log").read_text()
    port = re.search(r"Listening at: http://[\d.]+:(\d+)", log)[1]
    behind, forwarded = f"http://localhost:{port}", {"X-Forwarded-Proto": "https"}
    cookies = {cookie.name: cookie.value for cookie in session.cookies}
    answer = requests.get(f"{behind}{invoice.data.url}", headers=forwarded, cookies=cookies)
    address = answer.headers["X-Accel-Redirect"]
    assert address.startswith("/x-accel/")
    return behind, forwarded, address


def test_no_key_in_an_address_is_logged(on, session, save):
    token = links.token_for(save(), timezone.now() + timezone.timedelta(days=1))
    assert session.get(f"{on.address}/link/{token}").content == CONTENT
    session.get(f"{on.address}/the-last")
    until(lambda: on.slices() == SLICES)
    for log in [on.folder / "nginx.log", on.folder / "server.log"]:
        until(lambda log=log: "/the-last" in log.read_text())  # after the client has its answer
        text = log.read_text()
        assert token not in text
        assert not re.search(r"/x-accel/\w", text)


def test_a_download_goes_on_by_other_bytes_never(on, session, save):
    invoice = save(LARGE)
    sign_in(session, on.address, "alice", "a-Secret-1")
    with begun(session, on.address, invoice.data.url) as rest:
        overwrite(invoice)
        got = rest()
    assert len(got) < len(LARGE)
    assert got == LARGE[: len(got)]


def test_a_site_that_goes_away_in_the_middle_leaves_no_sentence_in_the_file(
    transactional_db, certificate, session, save, tmp_path
):
    at_length = {"The site does not": "The site does not" + 3_000 * "!"}  # nginx sends it at once
    with handing_over(tmp_path / "on", certificate, at_length, **ON) as on:
        invoice = save(LARGE)
        sign_in(session, on.address, "alice", "a-Secret-1")
        with begun(session, on.address, invoice.data.url) as rest:
            until(lambda: on.slices() == 1)  # for the next one nobody answers
            os.killpg(on.group, signal.SIGKILL)
            got = rest()
    assert len(got) < len(LARGE)
    assert got == LARGE[: len(got)]


def test_half_a_slice_is_not_kept(transactional_db, certificate, session, save, tmp_path):
    slowly = {"slice 4m;": "slice 32m; proxy_limit_rate 8m;"}
    with handing_over(tmp_path / "on", certificate, slowly, **ON) as on:
        invoice = save(LARGE)
        sign_in(session, on.address, "alice", "a-Secret-1")
        with begun(session, on.address, invoice.data.url) as rest:
            workers = Path(f"/proc/{on.group}/task/{on.group}/children").read_text().split()
            for worker in workers:
                os.kill(int(worker), signal.SIGKILL)
            got = rest()
        assert len(got) < len(LARGE)
        assert got == LARGE[: len(got)]
        assert not on.kept()
        until(lambda: session.get(f"{on.address}/").status_code == 200)
        assert session.get(url(on, invoice)).content == LARGE


@contextmanager
def begun(session, address, path):
    """A download of which the first bytes are here: a function that reads what else comes."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    head = f"GET {path} HTTP/1.1\r\nCookie: {cookies}\r\nConnection: close"
    with opened(address, session.verify, head) as connection:
        got = bytearray()
        while b"\r\n\r\n" not in got:
            got += connection.recv(4096)
        assert got.startswith(b"HTTP/1.1 200 OK")

        def rest():
            with suppress(OSError):  # cut
                while piece := connection.recv(64 * 1024):
                    got.extend(piece)
            return bytes(got.partition(b"\r\n\r\n")[2])

        yield rest


def test_a_large_object_that_is_missing_is_a_500_that_is_no_file_and_not_kept(on, session, save):
    invoice = save()
    sign_in(session, on.address, "alice", "a-Secret-1")
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s)", [LargeObject.objects.get().loid])
    answer = session.get(url(on, invoice))
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert {"Content-Disposition", "Repr-Digest"}.isdisjoint(answer.headers)
    assert "is missing or not of its size" in (on.folder / "server.log").read_text()
    assert not on.kept()


def test_under_asgi(transactional_db, certificate, session, save, tmp_path):
    environment = {
        **os.environ,
        **database(),
        "SECRET_KEY": site.SECRET_KEY,
        "ALLOWED_HOSTS": "localhost",
        **ON,
    }
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    invoice = save()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = ["-m", "uvicorn", "config.asgi:application", "--lifespan=off"]
        command.append(f"--fd={listener.fileno()}")
        with (
            running(command, listener, environment, tmp_path / "server.log") as server,
            test_proxy.nginx(tmp_path, certificate, server.address[1]) as (_, address, _),
        ):
            sign_in(session, address, "alice", "a-Secret-1")
            on = Site(tmp_path, None, address)
            for _ in range(2):
                assert session.get(url(on, invoice)).content == CONTENT
                on.keeps(SLICES)


ANOTHER_S = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/requests;
    proxy_temp_path {folder}/answers;
    access_log {folder}/access.log;
{of_http}
    server {{
        listen 127.0.0.1:{port};
        error_page 404 500 502 503 /sorry.html;
        location / {{
            proxy_pass http://127.0.0.1:8000;
            proxy_set_header Host $http_host;
        }}
{of_server}
    }}
}}
"""
OF_HTTP, OF_SERVER = (
    block.content for block in blocks(ROOT / "docs/handing-over.md") if block.kind == "nginx"
)


@pytest.fixture
def of_another(transactional_db, tmp_path):
    """A project of somebody else's with the library, and their nginx, by the lines of the page."""
    (of_gunicorn,) = (
        block.content
        for block in blocks(ROOT / "docs/handing-over.md")
        if "access_log_format" in block.content
    )
    (tmp_path / "gunicorn.conf.py").write_text(of_gunicorn)
    known = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
    default = {key: connection.settings_dict[key] for key in known}
    project = {"DATABASES": {"default": default}, "PG_LO_STORAGE_X_ACCEL": True}
    arguments = [f"--config={tmp_path}/gunicorn.conf.py", "--access-logfile=-"]
    application = {"application": "tests.streaming_site:wsgi", "SITE": json.dumps(project)}
    with gunicorn(tmp_path, *arguments, **application) as (group, behind, _):
        port = free_port()
        text = ANOTHER_S.format(folder=tmp_path, port=port, of_http=OF_HTTP, of_server=OF_SERVER)
        for there, here in {
            "127.0.0.1:8000": behind.removeprefix("http://"),
            "/var/cache/nginx/": f"{tmp_path}/",
            "/var/log/nginx/": f"{tmp_path}/",
        }.items():
            assert there in text
            text = text.replace(there, here)
        with test_proxy.configured(tmp_path, text, port):
            yield Site(tmp_path, group, f"http://127.0.0.1:{port}")


def test_in_a_project_of_another_the_lines_of_the_page_do_it(of_another):
    name = db_file_storage.save("scan.pdf", ContentFile(CONTENT))
    for _ in range(2):
        answer = requests.get(f"{of_another.address}/{name}")
        assert (answer.status_code, answer.content) == (200, CONTENT)
        until(lambda: of_another.slices() == SLICES)
    of_another.keeps(SLICES)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'inline; filename="scan.pdf"'
    assert answer.headers["Repr-Digest"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert requests.get(f"{of_another.address}/x-accel/a").status_code == 404
    logs = {path.name: path.read_text() for path in of_another.folder.glob("*.log")}
    assert {"access.log", "error.log", "nginx.log", "server.log"} == logs.keys()
    assert not re.search(r"/x-accel/[\w…-]+\?", "".join(logs.values()))


def test_the_lines_of_the_page_are_those_of_nginx_conf():
    here = (ROOT / "nginx.conf").read_text()
    there = OF_SERVER.replace("http://127.0.0.1:8000", "$site")
    there = there.replace("/var/log/nginx/error.log", "/dev/stderr")
    assert indent(OF_HTTP, " " * 4) in here
    assert indent(there, " " * 8) in here
