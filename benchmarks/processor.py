"""Processor time of processes, in nanoseconds.

It is the clock that the kernel keeps of each process (clock_getcpuclockid(3)), of all its threads,
also those that have ended. Of another machine's processes nobody here knows.
"""

import os
import re
import time
from pathlib import Path

TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def of(pid: int) -> int:
    # What clock_getcpuclockid() returns (CPUCLOCK_SCHED in the kernel's posix-timers.h).
    return time.clock_gettime_ns(~pid << 3 | 2)


def of_family(pid: int) -> int:
    """Return the time of a process and of its children, those that have ended in ticks of 10 ms."""
    family = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    total = 0
    for member in family:
        try:
            total += of(member)
        except OSError:  # it ends just now
            continue
    return total + TICK * sum(map(int, _fields(f"/proc/{pid}/stat")[13:15]))


def parent_of_backend(pid: int) -> int | None:
    """Return the pid of the server to which `pg_backend_pid()` belongs, also of one in a container.

    None if it runs on another machine.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
            status = (folder / "status").read_text()
        except OSError:  # it has ended
            continue
        # The last number is that in the innermost container.
        pids = re.search(r"^NSpid:.*\b(\d+)$", status, re.M)
        if pids and int(pids[1]) == pid and title.startswith(b"postgres: "):
            return int(re.search(r"^PPid:\s*(\d+)", status, re.M)[1])
    return None


def _fields(path: str) -> list[str]:
    """Return the fields after the program's name, which may have spaces: the first is "state"."""
    return Path(path).read_text().rpartition(")")[2].split()
