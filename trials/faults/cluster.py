"""A PostgreSQL of its own, on a disk that can be filled, with a streaming replica."""

import errno
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from config import embedded_postgres

PATIENCE = 60  # seconds, in which what was broken has to work again
DISK = "1500m"
OPTIONS = "-c max_wal_size=128MB -c min_wal_size=32MB"
SLOT = "trials"


def until(condition: Callable[[], object], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"within {PATIENCE} s not: {what()}")
        time.sleep(0.02)


class Node:
    """A server with its data directory; it listens on a socket in a folder of its own."""

    def __init__(
        self, folder: Path, server: embedded_postgres.Server, data: Path, options: str
    ) -> None:
        self.server, self.data, self.socket = server, data, folder
        self.options = f"-k {folder} {OPTIONS} {options}"
        self.log = folder / "log"
        self.log.touch()
        for path in (folder, self.log):
            os.chown(path, server.uid, server.gid)

    def start(self) -> None:
        """Start it, as soon as no process of the one before is left."""

        def started() -> bool:
            with suppress(embedded_postgres.StartError):
                self._pg_ctl("start", f"--options={self.options}", f"--log={self.log}")
            return self.is_up()

        until(started, lambda: f"a server, of which {self.log.read_text()[-2000:]}")

    def stop(self, mode: str) -> None:
        with suppress(embedded_postgres.StartError):  # it has stopped already
            self._pg_ctl("stop", f"--mode={mode}")

    def is_up(self) -> bool:
        with suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def wait_until_up(self) -> None:
        until(self.is_up, lambda: f"a session at {self.socket}")

    def kill(self) -> None:
        with suppress(FileNotFoundError, ProcessLookupError):
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            # Not another process that got the number since
            if os.readlink(f"/proc/{pid}/cwd") == str(self.data):
                os.kill(pid, signal.SIGKILL)

    def _pg_ctl(self, *arguments: str) -> None:
        self.server.run("pg_ctl", *arguments, f"--pgdata={self.data}")

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.socket), dbname="app", user="postgres", autocommit=True
        )


class Cluster:
    """The server that writes, `primary`, and the one that follows, `replica`."""

    def __init__(self, folder: Path, disk: Path | None, options: str = "") -> None:
        self.folder, self.disk = folder, disk
        state = disk or self._folder("data")
        self.server = embedded_postgres.Server(state, embedded_postgres.find_programs())
        os.chown(state, self.server.uid, self.server.gid)
        self.server.initialise()
        of_replica = self._folder("replica")
        self.primary = Node(self._folder("primary"), self.server, self.server.data, options)
        self.replica = Node(of_replica, self.server, of_replica / "data", options)

    def __enter__(self) -> "Cluster":
        try:
            self.primary.start()
            self.server.run(
                "pg_basebackup",
                f"--pgdata={self.replica.data}",
                f"--host={self.primary.socket}",
                "--username=postgres",
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--no-sync",
                "--create-slot",
                f"--slot={SLOT}",
            )
            self.replica.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        for node in (self.replica, self.primary):
            node.stop("immediate")
            node.kill()  # if it did not stop

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def backends(self, choice: random.Random) -> list[int]:
        """Return the sessions of the site, those that do something now first."""
        with self.primary.connect() as session:
            rows = session.execute(
                "select pid, state = 'idle' from pg_stat_activity"
                " where usename = 'app' and backend_type = 'client backend'"
            ).fetchall()
        choice.shuffle(rows)
        return [pid for pid, _ in sorted(rows, key=lambda row: bool(row[1]))]

    def mend(self) -> None:
        """Start what is down, and wait until the replica has all that was written."""
        for node in (self.primary, self.replica):
            with suppress(TimeoutError):
                if not node.is_up():
                    node.stop("immediate")
                    node.start()
            node.wait_until_up()
        with self.primary.connect() as primary, self.replica.connect() as replica:
            (end,) = primary.execute("select pg_current_wal_flush_lsn()").fetchone() or (None,)

            def has_it() -> object:
                reached = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
                return (replica.execute(reached, [end]).fetchone() or (False,))[0]

            until(has_it, lambda: "the replica has what was written")


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no room on the disk."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (2**20, 2**12):
                with suppress_no_space():
                    while True:
                        file.write(bytes(size))
        yield
    finally:
        ballast.unlink()


@contextmanager
def suppress_no_space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount one in memory; None where this user may not."""
    command = ["mount", "--types=tmpfs", f"--options=size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
