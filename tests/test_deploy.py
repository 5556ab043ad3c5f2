"""docs/deploy.md: its commands and files, as far as they can be run beside other things."""

import asyncio
import configparser
import gzip
import json
import os
import re
import shlex
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from django.conf import settings as site

from config import gunicorn as config
from config.demo import free_port

from . import test_proxy
from .newcomer import environment
from .pages import ROOT, blocks
from .serving import database, gunicorn
from .test_embedded_postgres import until
from .test_settings import PRODUCTION, manage, show
from .test_streaming import pgbouncer

certificate, session = test_proxy.certificate, test_proxy.session

PAGE = ROOT / "docs/deploy.md"
UNIT = ROOT / "site.service"
BLOCKS = blocks(PAGE)
COMMANDS = [
    line.removeprefix("$ ")
    for block in BLOCKS
    if block.kind == "console"
    for line in block.content.splitlines()
]
# What changes the machine, or asks the world.
OF_A_MACHINE = re.compile(
    r"sudo (apt|useradd|install --directory|systemctl|certbot|cp site\.service|nginx -t)\b"
    r"|sudo -u site (git|bin/setup) |sudoedit |cd /srv/site|curl "
)
PLACES = {  # of nginx.conf there, and here
    "user www-data;\n": "",
    "listen 80;": "listen 8080;",
    "listen 443 ssl;": "listen 8443 ssl;",
    "http://127.0.0.1:8000": "http://web:8000",
    "/etc/letsencrypt/live/www.example.com/fullchain.pem": "/certificates/site.crt",
    "/etc/letsencrypt/live/www.example.com/privkey.pem": "/certificates/site.key",
    "/var/lib/nginx/": "/var/cache/nginx/",
    "/var/log/nginx/error.log": "/dev/stderr",
    "/var/log/nginx/access.log": "/dev/stdout",
}


def the_block(words):
    (found,) = [block.content for block in BLOCKS if block.kind == "sh" and words in block.content]
    return found


class Machine:
    """A folder with the project, a PostgreSQL, and a shell in which `sudo` needs no password."""

    def __init__(self, folder, server):
        self.folder, self.server, self.port = folder / "site", server, free_port(8600)
        self.places = {
            "/srv/site": str(self.folder),
            "/etc/site.env": str(folder / "site.env"),
            "/etc/nginx/nginx.conf": str(folder / "nginx.conf"),
            "127.0.0.1:8000": f"127.0.0.1:{self.port}",
            "//var/run/postgresql/": f"/{server.socket}/",
            "--group=site": f"--group={os.getgid()}",
        }
        ours = {"DJANGO_SETTINGS_MODULE", "DEMO", "DEBUG", "DATABASE_URL", "PYTHONPATH"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ours},
            "PATH": f"{server.server.programs}:{os.environ['PATH']}",
            "PGHOST": server.socket,
            "PGPORT": "5432",
            "PGUSER": "postgres",
            "PGDATABASE": "postgres",
            "DJANGO_SUPERUSER_PASSWORD": "a-Secret-1",
            "PYTHONWARNINGS": "error",
        }

    def here(self, text):
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text

    def shell(self, script, **environment):
        sudo = 'sudo() { [ "$1" != -u ] || shift 2; "$@"; }'
        (define,) = [command for command in COMMANDS if command.startswith("manage() {")]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(map(self.here, [sudo, define, script]))],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"$ {script}\n{done.stdout}"
        return done.stdout

    @contextmanager
    def started(self):
        """What the unit starts, once it has told systemd that it is ready."""
        unit = service(self.here(UNIT.read_text()))
        variables = {}
        for line in Path(unit["EnvironmentFile"]).read_text().splitlines():
            variables |= dict([shlex.split(line)[0].split("=", 1)])
        notify = self.folder.parent / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(os.path.relpath(notify))  # a name that is short enough
            systemd.settimeout(60)
            with subprocess.Popen(
                shlex.split(unit["ExecStart"]),
                cwd=unit["WorkingDirectory"],
                env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(notify), **variables},
            ) as process:
                try:
                    assert b"READY=1" in systemd.recv(1000)
                    yield f"http://127.0.0.1:{self.port}", process
                finally:
                    process.terminate()


def service(text):
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    return unit["Service"]


@pytest.fixture
def machine(tmp_path, running):
    machine = Machine(tmp_path, running)
    left = shutil.ignore_patterns(".*", "node_modules", "staticfiles", "test-results")
    shutil.copytree(ROOT, machine.folder, ignore=left)
    (machine.folder / ".venv").symlink_to(sys.prefix)
    (machine.folder / "staticfiles").mkdir()  # by bin/setup
    yield machine
    with running.connect("postgres") as superuser:
        superuser.execute("drop database if exists site with (force)")
        superuser.execute("drop role if exists site")
        superuser.execute("alter system reset max_locks_per_transaction")


def has_lz4(running):
    query = "select enumvals from pg_settings where name = 'default_toast_compression'"
    with running.connect("postgres") as superuser:
        return "lz4" in superuser.execute(query).fetchone()[0]


def test_a_server_as_the_page_has_it(machine, certificate, session, tmp_path, running):
    given = {"what the second command printed": PRODUCTION["SECRET_KEY"]}
    done = set()
    for command in COMMANDS:
        if OF_A_MACHINE.match(command) or command.startswith("manage() {") or command in done:
            continue
        if command.startswith("psql ") or "sendtestemail" in command:
            continue  # below
        if "lz4" in command and not has_lz4(running):
            continue  # Debian's has it.
        if command == "manage createsuperuser":
            command += " --noinput --username=alice --email=alice@example.com"
        printed = machine.shell(command)
        done.add(command)
        if "secrets.token_hex" in command:
            given["what the second command printed"] = printed.strip()
            environment = the_block("SECRET_KEY=")
            for there, here in given.items():
                environment = environment.replace(there, here)
            (tmp_path / "site.env").write_text(machine.here(environment))
        if "check --deploy" in command:
            assert "System check identified no issues (0 silenced)." in printed
    assert (tmp_path / "site.env").stat().st_mode & 0o777 == 0o640
    assert len(done) == 9

    with machine.server.connect("postgres") as superuser:
        ordinary = (
            "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = 'site'"
        )
        assert superuser.execute(ordinary).fetchone() == (False, False, False)

    with machine.started() as (address, process):
        assert requests.get(f"{address}/healthz/").text == "ok"
        assert requests.get(f"{address}/accounts/login/").status_code == 400
        named = {"Host": "www.example.com", "X-Forwarded-Proto": "https"}
        page = requests.get(f"{address}/accounts/login/", headers=named)
        assert page.status_code == 200
        assert "/accounts/reset/" in page.text
        (style,) = re.findall(r'href="(/static/\w+\.[0-9a-f]{12}\.css)"', page.text)
        assert requests.get(f"{address}{style}", headers=named).status_code == 200

        machine.shell(the_block("nginx.conf | sudo tee"))
        configuration = (tmp_path / "nginx.conf").read_text()
        for there, here in PLACES.items():
            assert machine.here(there) in configuration
            configuration = configuration.replace(machine.here(there), here)
        assert configuration == (ROOT / "nginx.conf").read_text()
        with test_proxy.nginx(tmp_path, certificate, machine.port, configuration) as (_, proxy, _):
            assert session.get(f"{proxy}/healthz/").text == "ok"
            assert session.get(f"{proxy}/accounts/login/").status_code == 400
            assert session.get(f"{proxy}/accounts/login/", headers=named).status_code == 200

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert int(service(UNIT.read_text())["TimeoutStopSec"]) > 120


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd, which no container has"
)
def test_systemd_understands_the_unit(machine, tmp_path):
    text = machine.here(UNIT.read_text()).replace("User=site", "User=root")
    assert "/.venv/bin/gunicorn " in text
    (tmp_path / "site.service").write_text(text)
    verify = ["systemd-analyze", "verify", "--man=no", tmp_path / "site.service"]
    printed = subprocess.run(verify, stderr=subprocess.PIPE, text=True).stderr
    # It looks at what else this machine has, too.
    assert [line for line in printed.splitlines() if "site.service" in line] == []


# A managed PostgreSQL


class Encrypting:
    """A port at which the server asks for TLS, as one that is compiled with it does."""

    def __init__(self, server, certificate):
        self.behind = f"{server.socket}/.s.PGSQL.5432"
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        start = asyncio.start_server(self.lead, "127.0.0.1", 0)
        self.listener = self.loop.run_until_complete(start)
        self.port = self.listener.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        return self

    def __exit__(self, *exc_info):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.listener.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    async def lead(self, outside, answers):
        with suppress(OSError):  # who asks does not trust this server
            await outside.readexactly(8)  # SSLRequest
            answers.write(b"S")
            await answers.start_tls(self.context)
            inside, asks = await asyncio.open_unix_connection(self.behind)
            await asyncio.gather(self.pass_on(outside, asks), self.pass_on(inside, answers))

    async def pass_on(self, source, target):
        with suppress(OSError):
            while piece := await source.read(65536):
                target.write(piece)
                await target.drain()
        target.close()


def made(folder, name):
    """A certificate for this name, which signs itself."""
    folder.mkdir()
    subject = [f"-subj=/CN={name}", f"-addext=subjectAltName=DNS:{name}"]
    subject = [part for option in subject for part in option.split("=", 1)]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", *subject]
    make += ["-keyout", "site.key", "-out", "site.crt"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)
    return folder / "site.crt"


def test_who_the_database_is_is_asked_as_the_page_says(running, tmp_path):
    (url,) = re.findall(r"DATABASE_URL='(.*sslmode=.*)'", the_block("sslmode=verify-full"))
    assert url.endswith("?sslmode=verify-full&sslrootcert=system")
    ours, another = made(tmp_path / "ours", "localhost"), made(tmp_path / "another", "db.example")

    def answer(port, url, trusted):
        url = url.replace("site:PASSWORD@db.example.com:5432/site", f"app:a@localhost:{port}/app")
        given = {**PRODUCTION, "DATABASE_URL": url, "SSL_CERT_FILE": str(trusted)}
        result = manage("migrate", "lo_storage", "--check", **given)
        return result.stderr.strip().splitlines()[:1]

    failed = "SSL error: certificate verify failed"
    with Encrypting(running, ours) as server:
        assert answer(server.port, url, ours) == []
        by_path = url.replace("=system", f"={ours}")
        assert answer(server.port, by_path, another) == []
        (refused,) = answer(server.port, url, another)
        assert failed in refused
        assert answer(server.port, url.partition("?")[0], another) == []
    with Encrypting(running, another) as server:
        (refused,) = answer(server.port, url, another)
        assert 'server certificate for "db.example" does not match host name "localhost"' in refused


def test_a_service_is_asked_for_large_objects(running):
    (command,) = [command for command in COMMANDS if command.startswith("psql ")]
    address = f"postgres://app@{quote(running.socket, safe='')}:5432/app"
    programs = f"{running.server.programs}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | {"PATH": programs, "DATABASE_URL": address},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with running.connect() as session:
        extensions = session.execute("select extname from pg_extension").fetchall()
    assert extensions == [("plpgsql",)]  # with the tables of the library


def test_behind_a_pooler_the_site_asks_for_what_it_may(running, tmp_path, transactional_db):
    text = the_block("STATEMENT_TIMEOUT=0")
    (url,) = re.findall(r"DATABASE_URL='(.*)'", text)
    given = {**PRODUCTION, "DATABASE_URL": url}
    assert show("settings.DATABASES['default']['DISABLE_SERVER_SIDE_CURSORS']", **given) == "True"
    with pgbouncer(running) as pooler:
        place = f"{pooler['HOST']}/app"
        url = url.replace("site:PASSWORD@pooler.example.com:6432/site", f"app@/{place}")
        for limit, status in [("0", 200), ("30s", 503)]:
            given = {"DATABASE_URL": url, "PGPORT": pooler["PORT"], "STATEMENT_TIMEOUT": limit}
            with gunicorn(tmp_path, **given) as (_, address, log):
                assert requests.get(f"{address}/healthz/").status_code == status
    assert "unsupported startup parameter" in log.read_text()


def test_a_platform_names_the_port_and_how_much_runs(transactional_db, tmp_path):
    page = PAGE.read_text()
    (command,) = re.findall(r"\| what serves \| `gunicorn (.*?)`", page)
    (arguments,) = re.findall(r'`GUNICORN_CMD_ARGS="(.*?)"`', page)
    port = free_port(8700)
    given = {**PRODUCTION, **database(), "PATH": os.environ["PATH"], "PORT": str(port)}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *command.split()],
            cwd=ROOT,
            env=given | {"GUNICORN_CMD_ARGS": arguments},
            stderr=output,
            stdout=output,
        )
    try:
        until(lambda: "Booting worker" in log.read_text())
        assert requests.get(f"http://127.0.0.1:{port}/healthz/").text == "ok"
        probe = [sys.executable, "-m", "config.health"]  # of the Dockerfile
        assert subprocess.check_output(probe, cwd=ROOT, env=given, text=True) == "ok\n"
    finally:
        process.terminate()
        process.wait()
    assert log.read_text().count("Booting worker") == 1
    # What the page says of the connections
    assert f"{config.workers * config.threads} by `config/gunicorn.py`" in page


# Mail


class Post(socketserver.StreamRequestHandler):
    """Takes one letter."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            command = line.strip().upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                letter = list(iter(self.rfile.readline, b".\r\n"))
                self.server.letters.append(b"".join(letter).decode())
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 yes\r\n")


def test_mail_is_tried_as_the_page_says(transactional_db):
    (command,) = [command for command in COMMANDS if "sendtestemail" in command]
    with socketserver.TCPServer(("127.0.0.1", 0), Post) as server:
        server.letters = []
        threading.Thread(target=server.serve_forever).start()
        try:
            sent = manage(
                *command.split()[1:],
                **PRODUCTION,
                EMAIL_URL=f"smtp://127.0.0.1:{server.server_address[1]}",
                DEFAULT_FROM_EMAIL="site@example.com",
            )
        finally:
            server.shutdown()
    assert (sent.returncode, sent.stderr) == (0, "")
    (letter,) = server.letters
    assert "To: you@example.com" in letter
    assert "From: site@example.com" in letter


# Errors

FAILING = """
from django.conf import settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config.wsgi import application  # first, as it reads the settings
from config.urls import handler500, urlpatterns


@csrf_exempt
def fail(request, key):
    secret = request.POST["password"]
    raise RuntimeError(f"{request.path} failed")


urlpatterns = [path("link/<key>", fail), *urlpatterns]
settings.ROOT_URLCONF = "failing"
"""


@pytest.fixture(scope="module")
def with_sentry(request):
    """What lets Python find sentry-sdk, which is not among the packages of the site."""
    python = environment(request.config.cache.mkdir("sentry"), "sentry-sdk")
    (packages,) = python.parent.parent.glob("lib/python*/site-packages")
    return {"PYTHONPATH": str(packages)}


class Service(BaseHTTPRequestHandler):
    """Takes a report, in a line of JSON."""

    def do_POST(self):
        report = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.reports.append(report.decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def test_an_error_is_reported_and_no_secret_with_it(with_sentry, transactional_db, tmp_path):
    (tmp_path / "failing.py").write_text(FAILING)
    with HTTPServer(("127.0.0.1", 0), Service) as service:
        service.reports = []
        threading.Thread(target=service.serve_forever).start()
        given = {**with_sentry, "SENTRY_DSN": f"http://k@127.0.0.1:{service.server_address[1]}/1"}
        path = f"--pythonpath={tmp_path}"
        try:
            with gunicorn(tmp_path, path, application="failing", **given) as (_, address, _):
                answer = requests.post(
                    f"{address}/link/a-key?b=c",
                    {"password": "a-Secret-1"},
                    headers={"Referer": "https://www.example.com/accounts/reset/a-key/"},
                    cookies={"__Host-sessionid": "a-session"},
                )
                assert answer.status_code == 500
                until(lambda: service.reports)
        finally:
            service.shutdown()
    (report,) = service.reports
    (event,) = (json.loads(line) for line in report.splitlines() if '"exception"' in line)
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("RuntimeError", "/link/… failed")
    assert event["request"]["url"] == f"{address}/link/…"
    for secret in ["a-key", "a-Secret", "a-session", site.SECRET_KEY, "postgres://"]:
        assert secret not in report


def test_who_reports_no_errors_needs_no_package(with_sentry):
    loaded = "'sentry_sdk' in __import__('sys').modules"
    assert show(loaded, **PRODUCTION, **with_sentry) == "False"
    for given, message in [
        ({}, "SENTRY_DSN needs the package sentry-sdk: add it to the group 'site' of"),
        (with_sentry, "SENTRY_DSN must be https://KEY@HOST/PROJECT."),
    ]:
        refused = manage("check", **PRODUCTION, **given, SENTRY_DSN="rubbish")
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"ImproperlyConfigured: {message}")
