"""What the database and the workers are at, while uploads arrive."""

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psycopg

from ..memory import begin_anew, status
from ..stage import MiB

SESSIONS = """
    select count(*), coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)
      from pg_stat_activity
     where usename = 'app' and backend_type = 'client backend'
"""


class Sessions:
    """Look, fifty times a second, at the sessions of the site: how many, and their transactions."""

    def __init__(self, socket: Path) -> None:
        self.socket, self.over = socket, threading.Event()
        self.most, self.longest = 0, 0.0
        self.thread = threading.Thread(target=self.look)

    def look(self) -> None:
        while not self.over.is_set():
            with (
                suppress(psycopg.OperationalError),  # it was killed
                psycopg.connect(
                    host=str(self.socket), dbname="app", user="postgres", autocommit=True
                ) as session,
            ):
                while not self.over.wait(0.02):
                    count, seconds = session.execute(SESSIONS).fetchone() or (0, 0)
                    self.most = max(self.most, count)
                    self.longest = max(self.longest, float(seconds))

    def __enter__(self) -> "Sessions":
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()


def workers(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in text.split()]


class Memory:
    """How much a worker has grown since."""

    def __init__(self, parent: int) -> None:
        self.pids = [str(pid) for pid in workers(parent)]
        self.before = {pid: begin_anew(pid) for pid in self.pids}

    def growth(self) -> float:
        return max((status("VmHWM", pid) - self.before[pid]) / MiB for pid in self.pids)
