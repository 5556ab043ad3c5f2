"""python -m benchmarks.uploads [ROW ...] [--size MIB] [--kills N]: the figures of docs/uploads.md.

A server, and web servers, of its own; it takes five times the size of the disk, in --into.
"""

import argparse
import hashlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

import psycopg

from config import embedded_postgres
from trials.faults.cluster import Node

from ..stage import MiB
from .clients import Uploader
from .watching import Memory, Sessions, workers

APPLICATION = "benchmarks.uploads.site"
CONFIG = "--config=python:config.gunicorn"
# As PostgreSQL comes, but for what a trial asks for.
OPTIONS = "-c max_wal_size=1GB -c min_wal_size=80MB"
POOL = '{"min_size": 1, "max_size": 4}'
CROWD, RATE = 50, 100 * 1024
ROWS: dict[str, Callable[["Bench"], None]] = {}


def row(function: Callable[["Bench"], None]) -> Callable[["Bench"], None]:
    ROWS[function.__name__] = function
    return function


class Bench:
    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.choice = random.Random(options.seed)
        state = folder / "server"
        state.mkdir()
        server = embedded_postgres.Server(state, embedded_postgres.find_programs())
        os.chown(state, server.uid, server.gid)
        server.initialise()
        (folder / "socket").mkdir()
        self.node = Node(folder / "socket", server, server.data, OPTIONS)
        self.longest = 0.0

    def set_up(self) -> None:
        os.environ |= {
            "DATABASE_URL": f"postgres://app@/{self.node.socket}/app",
            "PGPORT": "5432",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": "of a benchmark",
            "ALLOWED_HOSTS": "localhost",
            "DEMO": "1",
            "MALLOC_MMAP_THRESHOLD_": "131072",  # as in the Dockerfile
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)

    def session(self) -> str:
        """Return the session of somebody new."""
        from django.conf import settings
        from django.contrib.auth import get_user_model
        from django.test import Client

        client, users = Client(), get_user_model().objects
        client.force_login(users.create_user(f"user{users.count()}"))
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    def gunicorn(
        self, stack: ExitStack, *arguments: str, application: str = APPLICATION, **settings: str
    ) -> tuple[int, str]:
        from tests.serving import gunicorn

        server = gunicorn(self.folder, *arguments, application=application, **settings)
        pid, address, _ = stack.enter_context(server)
        return pid, address

    def tell(self, work: str, found: str, target: str) -> None:
        print(f"| {work} | {found} | {target} |", flush=True)

    @contextmanager
    def watched(self) -> Iterator[Sessions]:
        """Look at the transactions meanwhile. (A form that is saved as before is one.)"""
        with Sessions(self.node.socket) as sessions:
            yield sessions
        self.longest = max(self.longest, sessions.longest)

    def busy_sessions(self) -> list[int]:
        """Return the sessions of the site, as soon as one does something."""
        busy = "select pid from pg_stat_activity where usename = 'app' and state = 'active'"
        until = time.monotonic() + 1
        while time.monotonic() < until:
            # After a kill it may still be in recovery.
            with suppress(psycopg.OperationalError), self.node.connect() as session:
                while time.monotonic() < until:
                    if rows := session.execute(busy).fetchall():
                        return [pid for (pid,) in rows]
        return []

    def make_room(self) -> None:
        """What was written is not there when the next is measured."""
        from invoices.models import Invoice
        from lo_storage.uploads.models import Upload

        Invoice.objects.all().delete()
        Upload.objects.all().delete()
        with self.node.connect() as session:
            session.execute("vacuum pg_largeobject")
            session.execute("checkpoint")

    def content(self, size: int) -> memoryview:
        return memoryview(bytearray(self.choice.randbytes(MiB)) * (size // MiB))


@row
def last_byte(bench: Bench) -> None:
    """From the last byte of a form, or of a piece, to the committed row; and the memory for it."""
    size = bench.options.size * MiB
    content = bench.content(size)
    with ExitStack() as stack:
        pid, address = bench.gunicorn(stack, CONFIG)
        uploader = Uploader(address, bench.session())
        uploader.save(uploader.send(content[:MiB])[0])
        for _ in range(8):  # The modules of each worker are loaded, and its connections are there.
            Uploader(address, bench.session()).send_form("/staged/", content[:MiB])
        found = {}
        for way in ("spooled", "staged"):
            bench.make_room()
            memory = Memory(pid)
            with bench.watched() if way == "staged" else nullcontext():
                last, whole = uploader.send_form(f"/{way}/", content)
            found[way] = f"{last:.2f} s of {whole:.1f} s, worker + {memory.growth():.1f} MB"
        bench.make_room()
        memory = Memory(pid)
        began = time.perf_counter()
        with bench.watched():
            upload, seal = uploader.send(content)
            sent = time.perf_counter() - began
            saved, adopted = uploader.save(upload)
        found["sealed"] = (
            f"{saved / 1000:.2f} s, of which the row {adopted:.0f} ms; the last piece, with the"
            f" seal, {seal:.1f} s of {sent:.1f} s, worker + {memory.growth():.1f} MB"
        )
    name = f"last byte to committed row, {bench.options.size:,} MiB"
    bench.tell(f"{name}, plain form, a temporary file as before", found["spooled"], "")
    bench.tell(f"{name}, plain form, staged", found["staged"], "1 s; + 8 MB")
    bench.tell(f"{name}, in pieces, sealed", found["sealed"], "1 s; 50 ms; + 8 MB")


@row
def rate(bench: Bench) -> None:
    """PATCHes of 8 MiB beside `Storage.save()` in the same web server, in turns."""
    content = bench.content(max(8, min(bench.options.size, 128)) * MiB)
    seconds: dict[str, list[float]] = {"save": [], "patch": []}
    with ExitStack() as stack:
        _, address = bench.gunicorn(stack, "--threads=4")
        uploader = Uploader(address, bench.session())
        uploader.send(content[: 8 * MiB])
        for _ in range(bench.options.rounds):
            _, answer, _ = uploader.ask("GET", f"/stored/?size={len(content) // MiB}")
            seconds["save"].append(float(answer))
            upload, offset = uploader.create(len(content) + 1), 0  # so that no seal is in it
            began = time.perf_counter()
            while offset < len(content):
                offset = uploader.patch(upload, offset, content[offset : offset + 8 * MiB])
            seconds["patch"].append(time.perf_counter() - began)
            uploader.ask("DELETE", upload)
    rates = {way: len(content) / MiB / min(found) for way, found in seconds.items()}
    found = (
        f"{rates['patch'] / rates['save']:.2f} ({rates['patch']:.0f} of {rates['save']:.0f} MiB/s)"
    )
    bench.tell("rate of PATCHes of 8 MiB beside `Storage.save()`", found, "0.8")


@row
def batch(bench: Bench) -> None:
    """A hundred small files, chosen at once on the page of the sample in Chromium, and saved."""
    from django.conf import settings
    from playwright.sync_api import sync_playwright

    path = subprocess.run(["bin/browser"], check=True, capture_output=True, text=True).stdout
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": bench.session()}
    come, saved = [], []
    with ExitStack() as stack:
        _, address = bench.gunicorn(stack, CONFIG, application="config.wsgi")
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=path.strip(), args=sandbox)
        stack.callback(browser.close)
        page = browser.new_page()
        page.context.add_cookies([{**cookie, "url": address}])
        for run in range(bench.options.rounds):
            files = [bench.folder / f"{run}-{number}.bin" for number in range(100)]
            for file in files:
                file.write_bytes(bench.choice.randbytes(10_000))
            page.goto(f"{address}/upload/")
            began = time.perf_counter()
            page.get_by_label("Files", exact=True).set_input_files(files)
            page.get_by_text("All has come: 100 files").wait_for()
            come.append(time.perf_counter() - began)
            began = time.perf_counter()
            page.get_by_role("button", name="Upload", exact=True).click()
            page.get_by_text("100 invoices were uploaded.").wait_for()
            saved.append(time.perf_counter() - began)
    all_came, to_save = statistics.median(come), statistics.median(saved)
    found = f"{all_came:.1f} s until all have come, {to_save:.1f} s to save them"
    bench.tell("a hundred files of 10 KB as a batch in Chromium", found, "3 s")


@row
def removal(bench: Bench) -> None:
    """A large upload that nobody saves is removed."""
    with ExitStack() as stack:
        _, address = bench.gunicorn(stack, "--threads=4")
        uploader = Uploader(address, bench.session())
        upload, _ = uploader.send(bench.content(bench.options.size * MiB))
        began = time.perf_counter()
        with bench.watched() as sessions:
            uploader.ask("DELETE", upload)
        seconds = time.perf_counter() - began
    found = f"{seconds:.1f} s, by transactions of up to {sessions.longest:.2f} s"
    bench.tell(f"an upload of {bench.options.size:,} MiB is removed", found, "2 s")


class Slow:
    """Sends a body at `RATE`."""

    def __init__(self, content: memoryview) -> None:
        self.content, self.began, self.sent = content, time.monotonic(), 0

    def read(self, size: int) -> bytes:
        size = min(size, RATE // 4)
        # It is the slow line that is measured.
        time.sleep(max(0, self.began + self.sent / RATE - time.monotonic()))
        piece = bytes(self.content[self.sent : self.sent + size])
        self.sent += len(piece)
        return piece


def crowd(bench: Bench, address: str) -> str:
    """Fifty slow clients send a MiB each, while somebody opens a page ten times a second."""
    content = bench.content(MiB)
    # Each from a machine of its own: nginx lets one have ten uploads at once.
    uploaders = [Uploader(address, bench.session(), f"127.0.1.{n + 1}") for n in range(CROWD)]
    reader = Uploader(address, bench.session())
    done: list[int] = []

    def send(uploader: Uploader) -> None:
        upload = uploader.create(MiB)
        length = {"Content_Length": MiB, "Upload_Offset": 0}
        piece = {"Content-Type": "application/offset+octet-stream"}
        done.append(uploader.ask("PATCH", upload, Slow(content), **length, **piece)[0])

    threads = [threading.Thread(target=send, args=[uploader]) for uploader in uploaders]
    pages = []
    with bench.watched() as sessions:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            began = time.perf_counter()
            status, _, _ = reader.ask("GET", "/page/")
            pages.append((time.perf_counter() - began) * 1000 if status == 200 else float("inf"))
            time.sleep(0.1)  # Pages are asked for as by a person, and not as by another load.
        for thread in threads:
            thread.join()
    answered = sum(page < float("inf") for page in pages)
    return (
        f"{done.count(204)} of {CROWD} uploads; {answered} of {len(pages)} pages,"
        f" median {statistics.median(pages):.0f} ms; {sessions.most} connections"
    )


@row
def slow_clients(bench: Bench) -> None:
    from tests.test_proxy import COMPOSE, PRODUCTION, nginx

    target = "all; 50 ms; 10 connections"
    work = f"{CROWD} clients at 100 KB/s, pages meanwhile"
    with ExitStack() as stack:
        _, address = bench.gunicorn(stack, CONFIG, "--threads=60", POOL=POOL)
        bench.tell(f"{work}, without a proxy, gunicorn 2×60", crowd(bench, address), target)
    with ExitStack() as stack:
        command = COMPOSE["services"]["certificate"]["command"]
        subprocess.run(command, cwd=bench.folder, check=True, capture_output=True)
        _, address = bench.gunicorn(stack, CONFIG, POOL=POOL, **PRODUCTION)
        port = address.rpartition(":")[2]
        certificate = bench.folder / "site.crt"
        _, address, _ = stack.enter_context(nginx(bench.folder, certificate, port))
        bench.tell(f"{work}, nginx and gunicorn 2×8", crowd(bench, address), target)


def kill(bench: Bench, web: int) -> str:
    """Kill a worker, a session, or all of the server; return what it was."""
    what = bench.choice.choice(["worker"] * 10 + ["session"] * 10 + ["server"])
    if what == "server":
        bench.node.stop("immediate")
        bench.node.start()
        return what
    pids = bench.busy_sessions() if what == "session" else workers(web)
    if not pids:
        return ""
    with suppress(ProcessLookupError):
        os.kill(bench.choice.choice(pids), signal.SIGKILL)
    if what == "session":  # PostgreSQL ends all others, too, and begins anew.
        bench.node.wait_until_up()
    return what


@row
def kills(bench: Bench) -> None:
    """Ten uploads at once, while what serves them is killed again and again."""
    from django.core.management import call_command
    from django.db import connections

    from invoices.models import Invoice
    from lo_storage.models import LargeObject

    bench.make_room()
    contents = [
        memoryview(bytearray(bench.choice.randbytes(MiB)) * bench.options.each) for _ in range(10)
    ]
    sessions = [bench.session() for _ in contents]
    connections.close_all()
    uploads: dict[int, str] = {}
    killed: list[str] = []
    with ExitStack() as stack:
        web, address = bench.gunicorn(stack, CONFIG)
        seeds = [random.Random(bench.choice.random()) for _ in contents]

        def send(number: int) -> None:
            uploader = Uploader(address, sessions[number])
            uploads[number] = uploader.send_whatever_happens(contents[number], seeds[number])

        threads = [threading.Thread(target=send, args=[number]) for number in range(10)]
        began = time.monotonic()
        stack.enter_context(bench.watched())
        for thread in threads:
            thread.start()
        while len(killed) < bench.options.kills and any(thread.is_alive() for thread in threads):
            # A kill comes at any moment of an upload.
            time.sleep(bench.choice.uniform(0, 2 * bench.options.pause))
            killed += filter(None, [kill(bench, web)])
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
        for number, upload in uploads.items():
            Uploader(address, sessions[number]).save(upload, title=str(number))
    rows = [(row.title, row.data.entry.sha256) for row in Invoice.objects.with_entries()]
    right = sum(hashlib.sha256(contents[int(title)]).hexdigest() == it for title, it in rows)
    from lo_storage.uploads.models import Upload

    # A POST whose answer was lost has begun one that nobody knows: its date passes.
    unknown = Upload.objects.count()
    Upload.objects.all().delete()
    call_command("lo_check", verify=True, verbosity=0)
    with bench.node.connect() as session:
        (objects,) = session.execute("select count(*) from pg_largeobject_metadata").fetchone() or (
            0,
        )
    left = objects - LargeObject.objects.filter(name__in=Invoice.objects.values("data")).count()
    bench.tell(
        f"killed {len(killed)} times ({killed.count('worker')} workers, {killed.count('session')}"
        f" sessions, {killed.count('server')} servers) during ten uploads of"
        f" {bench.options.each} MiB",
        f"{right} files with the right SHA-256; {left} objects left over, {unknown} uploads begun"
        f" that expire; {seconds:.0f} s",
        "10; 0",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uploads", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="(all)")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file (1024)")
    parser.add_argument("--rounds", type=int, default=5, help="of the rates (5)")
    parser.add_argument("--kills", type=int, default=200, help="(200)")
    parser.add_argument("--each", type=int, default=100, help="MiB of each of the ten files (100)")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two kills (0.5)")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--into", type=Path, default=Path("/tmp"), help="where there is room")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Who is ended stops its servers, too.
    print(f"seed {options.seed}\n\n| work | found | target |\n| --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory(prefix="up-", dir=options.into) as name:
        folder = Path(name)
        folder.chmod(0o711)
        bench = Bench(folder, options)
        bench.node.start()
        try:
            bench.set_up()
            for name in options.rows or ROWS:
                ROWS[name](bench)
            bench.tell("longest transaction of those", f"{bench.longest:.2f} s", "2 s")
        finally:
            bench.node.stop("immediate")
            bench.node.kill()


if __name__ == "__main__":
    main()
