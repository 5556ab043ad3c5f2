"""nginx with the configuration of docker-compose.yml, and gunicorn with that of the container."""

import os
import re
import select
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import parse_headers
from pathlib import Path

import pytest
import requests
import yaml
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.utils import timezone

from config import gunicorn as config
from invoices.models import Invoice

from .programs import free_port, listens, program, started
from .serving import gunicorn
from .slow_clients import (
    CONTENT,
    FORM,
    SlowClients,
    longest,
    opened,
    sign_in,
    status_line,
    uploading,
)
from .test_embedded_postgres import until

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONFIG = "--config=python:config.gunicorn"
PRODUCTION = {"HTTPS": "1", "TRUST_X_FORWARDED_PROTO": "1"}
HUNDRED = bytes(100 * 2**20)
PATIENCE = 5  # seconds, of who opens a page
IMPATIENT = """
from config import gunicorn as ours
from config.gunicorn import *

ours.STALLED = 1
"""
# As long as something comes, sockets wait for 30 seconds each time.
IMPATIENT_OF_BODIES = """
from config import gunicorn as ours
from config.gunicorn import *

def pre_request(worker, request):
    ours.STALLED = 1
    ours.pre_request(worker, request)
"""
IMPATIENTLY = ["--workers=1", "--threads=2"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The one that the container makes for itself."""
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run(COMPOSE["services"]["certificate"]["command"], cwd=folder, check=True)
    return folder / "site.crt"


BEHIND_ANOTHER = """\
    # set_real_ip_from 10.0.0.0/8;
    # real_ip_header X-Forwarded-For;
    # real_ip_recursive on; #"""


@contextmanager
def nginx(folder, certificate, port, text=None):
    """The proxy of a site on this port: its addresses for HTTP and HTTPS, and its process."""
    text = text or (ROOT / "nginx.conf").read_text()
    plain, tls = free_port(), free_port()
    for there, here in {
        "listen 8080;": f"listen 127.0.0.1:{plain};",
        "listen 8443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
        "http://web:8000": f"http://127.0.0.1:{port}",
        "/certificates/": f"{certificate.parent}/",
        "/var/cache/nginx/": f"{folder}/",
        "/run/": f"{folder}/",
    }.items():
        assert there in text
        text = text.replace(there, here)
    with configured(folder, text, tls) as process:
        yield f"http://localhost:{plain}", f"https://localhost:{tls}", process


@contextmanager
def configured(folder, text, port):
    """An nginx that listens at a port by this configuration: its process."""
    (folder / "nginx.conf").write_text(text)
    # The folders of tests are for their owner alone.
    user = "user root;" if os.geteuid() == 0 else ""
    command = [program("nginx"), "-c", folder / "nginx.conf", "-g", f"daemon off; {user}"]
    with started(command, port, folder / "nginx.log") as process:
        yield process


@pytest.fixture
def served(transactional_db, tmp_path):
    """The site without a proxy: its address."""
    with gunicorn(tmp_path, CONFIG, **PRODUCTION) as (_, address, _):
        yield address


@pytest.fixture
def proxied(served, certificate, tmp_path):
    """The same behind the proxy: its address."""
    with nginx(tmp_path, certificate, served.rpartition(":")[2]) as (_, address, _):
        yield address


@pytest.fixture
def alice(transactional_db):
    return get_user_model().objects.create_user("alice", password="a-Secret-1")


@pytest.fixture
def session(certificate):
    with requests.Session() as session:
        session.trust_env = False  # which may name other certificates
        session.verify = str(certificate)
        yield session


@pytest.fixture
def file(alice):
    """The address of a file that alice may read."""
    invoice = Invoice.objects.create(
        owner=alice,
        number="2026-0001",
        issued=timezone.localdate(),
        data=ContentFile(CONTENT, "scan.pdf"),
    )
    return invoice.data.url


def cookies(session):
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)


def test_slow_clients_stop_a_site_without_a_proxy_and_not_one_with_it(
    served, proxied, session, certificate, alice, file
):
    sign_in(session, proxied, "alice", "a-Secret-1")
    direct = {"headers": {"X-Forwarded-Proto": "https"}}
    page = "/accounts/login/"

    with SlowClients(proxied, certificate, file, cookies(session)) as clients:
        # Each has its answer: its thread has done its work.
        assert set(clients.answered()) == {b"HTTP/1.1 200 OK"}
        clients.go_on()
        seconds = longest(session, proxied + "/")
        clients.go_on()
    print(f"{len(clients.senders)} slow senders and {len(clients.readers)} slow readers:")
    print(f"behind nginx the slowest of 20 pages took {seconds * 1000:.0f} ms,")
    assert seconds < PATIENCE

    with ExitStack() as stack:

        def nobody_is_answered():
            # They may all have come to one of the server's processes. Then more come.
            clients = stack.enter_context(SlowClients(served, None, file, cookies(session)))
            clients.go_on()
            try:
                requests.get(served + page, **direct, timeout=PATIENCE)
            except requests.Timeout:
                return True
            return False

        until(nobody_is_answered)
    print(f"without it none came within {PATIENCE} s")


def test_without_a_proxy_a_client_that_stalls_is_cut_and_frees_its_thread(
    transactional_db, tmp_path
):
    (tmp_path / "impatient.py").write_text(IMPATIENT)
    with (
        gunicorn(tmp_path, *IMPATIENTLY, f"--config={tmp_path}/impatient.py") as (_, address, _),
        ExitStack() as stack,
    ):
        port = int(address.rpartition(":")[2])
        bodies = [stack.enter_context(opened(address, None, FORM.format(size=9))) for _ in range(2)]
        heads = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in bodies]
        for connection in heads:
            connection.sendall(b"GET / HTTP/1.1\r\nHo")
        assert requests.get(f"{address}/accounts/login/", timeout=60).status_code == 200
        for connection in bodies:
            assert status_line(connection)[:12] in {"HTTP/1.1 400", "HTTP/1.1 403"}
        for connection in heads:
            assert connection.recv(1) == b""


def test_without_a_proxy_a_body_that_trickles_is_cut_and_frees_its_thread(
    transactional_db, tmp_path
):
    (tmp_path / "impatient.py").write_text(IMPATIENT_OF_BODIES)
    with (
        gunicorn(tmp_path, *IMPATIENTLY, f"--config={tmp_path}/impatient.py") as (_, address, _),
        ExitStack() as stack,
    ):
        form = FORM.format(size=100_000)
        bodies = [stack.enter_context(opened(address, None, form)) for _ in range(2)]
        waiting = set(bodies)

        def answered():
            for connection in waiting:
                connection.sendall(b"a")
            waiting.difference_update(select.select(waiting, [], [], 0.1)[0])
            return not waiting

        until(answered)
        assert requests.get(f"{address}/accounts/login/", timeout=20).status_code == 200
        for connection in bodies:
            assert status_line(connection)[:12] in {"HTTP/1.1 400", "HTTP/1.1 403"}


def test_without_a_proxy_a_reader_that_stalls_is_cut_and_frees_its_thread(
    transactional_db, tmp_path, alice, file, session
):
    (tmp_path / "impatient.py").write_text(IMPATIENT)
    session.verify = None
    with gunicorn(tmp_path, *IMPATIENTLY, f"--config={tmp_path}/impatient.py") as (_, address, _):
        sign_in(session, address, "alice", "a-Secret-1")
        with SlowClients(address, None, file, cookies(session), senders=0, readers=2):
            assert requests.get(f"{address}/accounts/login/", timeout=60).status_code == 200


def test_what_is_too_large_is_refused_before_it_is_sent(proxied, certificate):
    for path, size, refused in [
        ("/accounts/login/", 2**20, False),
        ("/accounts/login/", 2**20 + 1, True),
        ("/healthz/", 2**20 + 1, True),
        ("/no/such/page", 2**20 + 1, True),
        ("/upload/", 210 * 2**20, False),
        ("/upload/", 210 * 2**20 + 1, True),
        ("/17/replace/", 210 * 2**20 + 1, True),
        ("/admin/invoices/invoice/add/", 210 * 2**20, False),
        ("/admin/invoices/invoice/17/change/", 210 * 2**20, False),
        ("/admin/invoices/invoice/17/change/", 210 * 2**20 + 1, True),
        ("/admin/invoices/invoice/", 2**20 + 1, True),
        ("/admin/login/", 2**20 + 1, True),
        ("/upload/more/", 2**20 + 1, True),
    ]:
        head = f"POST {path} HTTP/1.1\r\nContent-Length: {size}\r\nExpect: 100-continue"
        with opened(proxied, certificate, head) as connection:
            expected = "413 Request Entity Too Large" if refused else "100 Continue"
            assert status_line(connection) == f"HTTP/1.1 {expected}", (path, size)
    # Whatever the form refuses it can say itself.
    assert site.UPLOAD_MAX_BATCH_SIZE < 209 * 2**20


@pytest.mark.parametrize(
    ("request_line", "allowed"),
    [("POST /accounts/login/", 128), ("POST /upload/", 10), ("PUT /upload/", 10)],
)
@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_one_address_has_so_many_requests_at_once(
    proxied, certificate, request_line, allowed, length
):
    head = f"{request_line} HTTP/1.1\r\n{length}"
    with ExitStack() as stack:
        begun = [
            stack.enter_context(opened(proxied, certificate, head + "\r\nExpect: 100-continue"))
            for _ in range(allowed)
        ]
        assert {status_line(connection) for connection in begun} == {"HTTP/1.1 100 Continue"}
        with opened(proxied, certificate, head) as connection:
            assert status_line(connection) == "HTTP/1.1 429 Too Many Requests"


def test_who_uploads_as_much_as_is_allowed_may_still_open_the_page(proxied, certificate, session):
    head = "POST /upload/ HTTP/1.1\r\nContent-Length: 1000\r\nExpect: 100-continue"
    with ExitStack() as stack:
        begun = [stack.enter_context(opened(proxied, certificate, head)) for _ in range(10)]
        assert {status_line(connection) for connection in begun} == {"HTTP/1.1 100 Continue"}
        assert session.get(f"{proxied}/upload/").status_code == 200


@pytest.fixture
def alone(certificate, tmp_path):
    """A proxy behind which no site answers."""
    with nginx(tmp_path, certificate, free_port()) as (_, address, _):
        yield address


def test_a_site_that_does_not_answer_is_a_sentence(alone, session):
    answer = session.get(f"{alone}/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert answer.text.startswith("The site does not answer now. Please try again in a minute")


@pytest.mark.parametrize("size", [100_000, len(HUNDRED)])
def test_a_full_disk_of_the_proxy_is_a_sentence(size, alone, session, tmp_path):
    (tmp_path / "requests").rmdir()  # which for nginx is the same
    answer = session.post(f"{alone}/upload/", HUNDRED[:size])
    assert answer.status_code == 507
    assert answer.text.startswith("There is no room now for what you sent. Nothing was changed.")


def test_one_address_asks_so_often(alone, session):
    answers = [session.get(f"{alone}/") for _ in range(600)]
    assert {answer.status_code for answer in answers[:200]} == {503}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused[0].text.startswith("Too much was asked at once from where you are.")
    assert refused[0].headers["Retry-After"] == "10"


def test_one_address_asks_for_a_new_password_so_often(alone, session):
    page = f"{alone}/accounts/reset/"
    assert {session.get(page).status_code for _ in range(20)} == {503}
    answers = [session.post(page, {"email": "a@example.com"}).status_code for _ in range(20)]
    assert answers[:6] == [503] * 6
    assert 429 in answers


def test_what_is_not_encrypted_is_sent_on_to_where_it_is(certificate, tmp_path):
    with nginx(tmp_path, certificate, free_port()) as (plain, address, _):
        for asked, there in [
            (f"{plain}/a?b=c", "https://localhost/a?b=c"),
            (f"http{address.removeprefix('https')}/a?b=c", f"{address}/a?b=c"),
        ]:
            answer = requests.get(asked, allow_redirects=False)
            assert (answer.status_code, answer.headers["Location"]) == (308, there)


def test_no_key_in_an_address_is_logged(certificate, session, tmp_path):
    with nginx(tmp_path, certificate, free_port()) as (plain, address, _):
        (tmp_path / "requests").rmdir()
        for path in ["/link/a-key", "/accounts/reset/a-key/", "//link/a-key", "/the-last"]:
            # What a page needs is asked for with the address of that page.
            for headers in [{}, {"Referer": f"{address}/link/a-key"}]:
                session.get(f"{plain}{path}", headers=headers, allow_redirects=False)
                session.get(f"{address}{path}", headers=headers)
                for size, status in [(100_000, 507), (2**20 + 1, 413)]:
                    answer = session.post(f"{address}{path}", bytes(size), headers=headers)
                    assert answer.status_code == status
    log = (tmp_path / "nginx.log").read_text()
    assert "/the-last" in log
    assert "a-key" not in log


def test_the_site_hears_from_the_proxy_and_not_from_the_client_who_asks(
    certificate, session, tmp_path
):
    said = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
    line, heard, address = asked(certificate, session, tmp_path, said)
    assert line.startswith(b"GET /a%2Fb?c=d HTTP/1.")
    assert heard.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert heard.get_all("X-Forwarded-Proto") == ["https"]
    assert heard["Host"] == address.removeprefix("https://")


def asked(certificate, session, folder, said, text=None):
    """What the site hears of a request with these headers: its line, its headers, the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            nginx(folder, certificate, port, text) as (_, address, _),
            ThreadPoolExecutor() as pool,
        ):
            answer = pool.submit(session.get, f"{address}/a%2Fb?c=d", headers=said)
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as request:
                line = request.readline()
                heard = parse_headers(request)
                connection.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")
            assert answer.result().status_code == 204
    return line, heard, address


@pytest.mark.parametrize(
    ("outer", "client"), [("127.0.0.0/8", "192.0.2.1"), ("10.0.0.0/8", "127.0.0.1")]
)
def test_behind_another_proxy_the_word_of_that_one_alone_counts(
    outer, client, certificate, session, tmp_path
):
    text = (ROOT / "nginx.conf").read_text()
    assert BEHIND_ANOTHER in text
    on = BEHIND_ANOTHER.replace("# ", "").replace("10.0.0.0/8", outer)
    said = {"X-Forwarded-For": "198.51.100.9, 192.0.2.1, 127.0.0.9"}
    text = text.replace(BEHIND_ANOTHER, on)
    _, heard, _ = asked(certificate, session, tmp_path, said, text)
    assert heard.get_all("X-Forwarded-For") == [client]


def test_a_form_is_taken_under_the_name_and_port_that_the_browser_sees(proxied, session, alice):
    sign_in(session, proxied, "alice", "a-Secret-1")
    assert all(cookie.secure for cookie in session.cookies)
    assert session.get(f"{proxied}/").headers["Strict-Transport-Security"]


def test_a_form_that_is_broken_is_told_so_by_the_site(proxied, session, alice):
    sign_in(session, proxied, "alice", "a-Secret-1")
    answer = session.post(
        f"{proxied}/upload/",
        b"--limit\r\nno part",
        headers={"Content-Type": "multipart/form-data; boundary="},
    )
    assert (answer.status_code, "This request could not be read" in answer.text) == (400, True)


# When it is stopped


def test_a_proxy_that_is_stopped_ends_an_upload_and_takes_no_other(
    served, certificate, session, alice, tmp_path
):
    with nginx(tmp_path, certificate, served.rpartition(":")[2]) as (_, address, process):
        sign_in(session, address, "alice", "a-Secret-1")
        with uploading(session, address, CONTENT) as (connection, body):
            connection.sendall(body[:1000])
            process.send_signal(signal.SIGQUIT)
            until(lambda: not listens(int(address.rpartition(":")[2])))
            connection.sendall(body[1000:])
            assert status_line(connection) == "HTTP/1.1 302 Found"
        process.wait(timeout=60)
    with Invoice.objects.get().data.open() as stored:
        assert stored.read() == CONTENT


def test_a_site_that_is_stopped_ends_an_upload(transactional_db, session, alice, tmp_path):
    session.verify = None
    with gunicorn(tmp_path, CONFIG) as (pid, address, log):
        sign_in(session, address, "alice", "a-Secret-1")
        with uploading(session, address, CONTENT) as (connection, body):
            connection.sendall(body[:1000])
            os.kill(pid, signal.SIGTERM)
            until(lambda: "Worker exiting" in log.read_text())  # the one that has nothing to do
            connection.sendall(body[1000:])
            assert status_line(connection) == "HTTP/1.1 302 Found"
    with Invoice.objects.get().data.open() as stored:
        assert stored.read() == CONTENT


def seconds(duration):
    """Of Docker's way to write them."""
    number, unit = re.fullmatch(r"(\d+)([sm])", duration).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


def test_docker_waits_for_longer_than_they_do():
    services = COMPOSE["services"]
    db, web, proxy = (
        seconds(services[name]["stop_grace_period"]) for name in ["db", "web", "proxy"]
    )
    assert db >= 60
    assert config.graceful_timeout < web
    # 100 MiB at 3 Mbit/s
    assert proxy >= 100 * 2**20 * 8 / 3_000_000
    assert services["proxy"]["stop_signal"] == "SIGQUIT"
    # Docker stops a service after those that depend on it.
    assert {"web"} <= services["proxy"]["depends_on"].keys()
    assert {"db"} <= services["web"]["depends_on"].keys()
