"""docker-compose.yml as it is, by a container engine; `.ci/run containers` finds or starts one."""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic

import pytest
import requests

from .programs import free_port
from .slow_clients import CONTENT, SlowClients, longest, opened, sign_in, status_line, uploading
from .test_embedded_postgres import until

ROOT = Path(__file__).parent.parent
PROJECT = "lo-storage-test"
HUNDRED = Random(0).randbytes(100 * 2**20)

FIND = ["find", "/there", "-type", "f"]
DOCKER_S_PATIENCE = 10  # seconds, if nothing else is said


def another_hundred():
    """Which nobody has yet: a form says what its user has, and is sent again."""
    return os.urandom(16) + HUNDRED[16:]


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


class Containers:
    """The containers of this tree, with an `.env` of their own."""

    def __init__(self, folder):
        self.log = folder / "log"
        ports = [free_port(), free_port()]
        environment = (ROOT / ".env.example").read_text()
        for old, new in [("PASSWORD=\n", "PASSWORD=a1b2\n"), ("KEY=\n", f"KEY={'k1' * 32}\n")]:
            assert old in environment
            environment = environment.replace(old, new)
        environment += "HTTP_PORT={}\nHTTPS_PORT={}\n".format(*ports)
        (folder / "env").write_text(environment)
        options = [f"--project-name={PROJECT}", f"--env-file={folder}/env", "--progress=plain"]
        self.command = ["docker", "compose", *options]
        self.plain, self.address = f"http://localhost:{ports[0]}", f"https://localhost:{ports[1]}"
        self.certificate = str(folder / "site.crt")

    def run(self, *arguments, **options):
        """Return what it printed."""
        result = subprocess.run(
            [*self.command, *arguments], cwd=ROOT, capture_output=True, text=True, **options
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout, result.stderr

    def execute(self, service, *command):
        return self.run("exec", "--no-TTY", service, *command)[0]

    def start(self, *options):
        printed = self.run("up", "--detach", "--wait", *options)
        Path(self.certificate).write_text(self.execute("proxy", "cat", "/certificates/site.crt"))
        return "".join(printed)

    def sql(self, query):
        options = ["--username=app", "--dbname=lo_storage", "--tuples-only", "--no-align"]
        return self.execute("db", "psql", *options, f"--command={query}").strip()

    def stored(self):
        """Count rows, files of the catalogue, and large objects."""
        tables = ["invoices_invoice", "lo_storage_largeobject", "pg_largeobject_metadata"]
        return [int(self.sql(f"select count(*) from {table}")) for table in tables]

    def left(self):
        """What lies where uploads and downloads pass."""
        buffers = f"--volume={PROJECT}_buffers:/there"
        on_the_way = docker("run", "--rm", buffers, "nginx:stable", *FIND).split()
        return on_the_way + self.execute("web", "find", "/tmp", "-type", "f").split()

    @contextmanager
    def nobody_numbers_invoices(self):
        """Let each upload wait in its transaction, until the block ends."""
        options = ["exec", "--no-TTY", "db", "psql", "--username=app", "--dbname=lo_storage"]
        with subprocess.Popen(
            [*self.command, *options], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as session:
            session.stdin.write(b"begin; select 1 from users_user for update; \\echo locked\n")
            session.stdin.flush()
            for line in session.stdout:
                if line == b"locked\n":
                    break
            yield
            session.stdin.close()

    def waits_in_its_transaction(self):
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        return self.sql(waiting) == "1"


def volumes():
    return set(docker("volume", "ls", "--quiet").split())


@pytest.fixture(scope="module")
def there():
    """The volumes that were there before."""
    return volumes()


@pytest.fixture(scope="module")
def containers(there, tmp_path_factory):
    containers = Containers(tmp_path_factory.mktemp("containers"))
    try:
        containers.printed = containers.start("--build")
        containers.run(
            *["exec", "--no-TTY", "--env=DJANGO_SUPERUSER_PASSWORD=a-Secret-1", "web"],
            *["python", "manage.py", "createsuperuser", "--noinput", "--username=alice"],
            "--email=alice@example.com",
        )
        yield containers
    finally:
        containers.run("down", "--volumes", "--timeout=1")


@pytest.fixture(scope="module")
def session(containers):
    with requests.Session() as session:
        session.trust_env = False  # which may name other certificates
        session.verify = containers.certificate
        sign_in(session, containers.address, "alice", "a-Secret-1")
        yield session


@pytest.fixture(scope="module")
def file(containers, session):
    """The path of a file of 100 MiB that was uploaded."""
    return store(containers, session, HUNDRED)


def store(containers, session, content):
    with uploading(session, containers.address, content) as (connection, body):
        connection.sendall(body)
        assert status_line(connection) == "HTTP/1.1 302 Found"
    newest = containers.sql("select max(id) from invoices_invoice")
    return re.search(r"/file/[^\"?]+", session.get(f"{containers.address}/{newest}/").text)[0]


def test_what_is_built_here_is_pulled_from_nowhere(containers):
    assert "Image lo-storage Built" in containers.printed
    assert "Pull" not in containers.printed


def test_the_database_is_healthy_if_there_is_that_of_the_site(containers):
    config = json.loads(containers.run("config", "--format=json")[0])
    command = config["services"]["db"]["healthcheck"]["test"][1:]
    assert "1 row" in containers.execute("db", *command)
    with pytest.raises(AssertionError, match='database "nowhere" does not exist'):
        containers.execute("db", *[word.replace("lo_storage", "nowhere") for word in command])


def test_the_site_is_reached_by_the_proxy_and_tls_alone(containers, session):
    answer = session.get(containers.plain, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://localhost/")
    assert session.get(f"{containers.address}/healthz/").text == "ok"
    assert all(cookie.secure for cookie in session.cookies)
    published = docker("ps", "--filter", f"name={PROJECT}", "--format", "{{.Names}} {{.Ports}}")
    assert {line.split()[0] for line in published.splitlines() if "->" in line} == {
        f"{PROJECT}-proxy-1"
    }


def test_nothing_of_a_file_stays_outside_of_the_database(containers, session, file):
    assert session.get(f"{containers.address}{file}").content == HUNDRED
    assert containers.stored() == [1, 1, 1]
    assert containers.left() == []


def test_who_is_slow_keeps_nobody_waiting(containers, session):
    file = store(containers, session, CONTENT)
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    page = f"{containers.address}/"
    with SlowClients(containers.address, containers.certificate, file, cookies) as clients:
        clients.go_on()
        assert set(clients.answered()) == {b"HTTP/1.1 200 OK"}
        seconds = longest(session, page)
        clients.go_on()
    print(f"beside {len(clients.senders)} slow senders and {len(clients.readers)} slow readers,")
    print(f"the slowest of 20 pages took {seconds * 1000:.0f} ms")
    assert seconds < 5
    until(lambda: containers.left() == [])


def test_an_upload_that_is_killed_leaves_nothing(containers, session, file):
    stored = containers.stored()
    with (
        uploading(session, containers.address, another_hundred()) as (connection, body),
        containers.nobody_numbers_invoices(),
    ):
        connection.sendall(body)
        until(containers.waits_in_its_transaction)
        containers.run("kill", "web")
        assert status_line(connection) == "HTTP/1.1 503 Service Temporarily Unavailable"
    containers.start()
    assert containers.stored() == stored
    assert containers.left() == []


def test_a_site_that_is_stopped_ends_an_upload(containers, session, file):
    invoices, *_ = containers.stored()
    with (
        ThreadPoolExecutor() as pool,
        uploading(session, containers.address, another_hundred()) as (connection, body),
    ):
        with containers.nobody_numbers_invoices():
            connection.sendall(body)
            until(containers.waits_in_its_transaction)
            stopping = pool.submit(containers.run, "stop", "web")
            began = monotonic()
            until(lambda: monotonic() - began > DOCKER_S_PATIENCE + 1)
        assert status_line(connection) == "HTTP/1.1 302 Found"
        stopping.result()
    containers.start()
    assert containers.stored() == [invoices + 1] * 3


@pytest.mark.parametrize("command", ["stop", "down"])
def test_stop_and_down_end_an_upload_and_a_download_and_take_no_other(
    command, containers, session, file, there
):
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    get = f"GET {file} HTTP/1.1\r\nConnection: close\r\nCookie: {cookies}"
    invoices, *_ = containers.stored()
    with (
        ThreadPoolExecutor() as pool,
        opened(containers.address, containers.certificate, get) as download,
        uploading(session, containers.address, another_hundred()) as (upload, body),
    ):
        assert download.recv(15) == b"HTTP/1.1 200 OK"
        upload.sendall(body[: len(body) // 2])
        stopping = pool.submit(containers.run, command)
        until(lambda: refused(containers))
        began, read = monotonic(), bytearray()
        # It is read all the while, if slowly.
        until(lambda: read.extend(download.recv(1)) or monotonic() - began > DOCKER_S_PATIENCE + 1)
        upload.sendall(body[len(body) // 2 :])
        assert status_line(upload) == "HTTP/1.1 302 Found"
        with download.makefile("rb") as answer:
            assert (read + answer.read()).endswith(b"\r\n\r\n" + HUNDRED)
        stopping.result()
    # Without names there are none.
    assert volumes() - there == {f"{PROJECT}_{name}" for name in ["buffers", "certificates", "db"]}
    containers.start()
    assert containers.stored() == [invoices + 1] * 3
    assert containers.left() == []


def refused(containers):
    try:
        with opened(containers.address, containers.certificate, "GET /healthz/ HTTP/1.1"):
            return False
    except OSError:
        return True


def test_one_variable_lets_nginx_keep_what_was_asked_for(containers, session, file):
    keeping = {"env": {**os.environ, "KEEP_CONTENTS": "5s"}}
    containers.run("up", "--detach", "--wait", **keeping)
    for _ in range(2):
        assert session.get(f"{containers.address}{file}").content == HUNDRED
    kept = containers.left()
    assert {path.rpartition("/")[0][:-5] for path in kept} == {"/there/contents"}
    assert len(kept) == 25
    log = containers.run("logs", "web", **keeping)[0]
    assert log.count('"GET /x-accel/') == 25
    until(lambda: containers.left() == [])
    containers.start()
    assert session.get(f"{containers.address}{file}").content == HUNDRED
    assert containers.left() == []
