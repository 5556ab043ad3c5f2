"""Where a run takes place, and of what."""

import os
import platform
import re
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .stage import ROOT

SHOWN = [
    *("Django", "psycopg", "psycopg2-binary", "pg-lo-storage", "django-dbfiles"),
    *("gunicorn", "uvicorn"),
]
SETTINGS = ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size"]


def describe(arguments: list[str], began: datetime) -> dict[str, Any]:
    """Return machine, commit, versions, and settings of the server."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "select name, current_setting(name) from unnest(%s::text[]) as name",
            [["server_version", *SETTINGS]],
        )
        server = dict(cursor.fetchall())
    return {
        "command": " ".join(["bin/bench", *arguments]),
        "date": f"{began:%Y-%m-%d}",
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores, {_processor()}; {platform.system()}"
        f" {platform.release()}, {_memory()}",
        "versions": {
            "PostgreSQL": server.pop("server_version"),
            "Python": platform.python_version(),
        }
        | {name: version(name) for name in SHOWN},
        "server": server,
    }


def _commit() -> str:
    """Return the commit that was measured, with "-dirty" if more than docs/ was changed."""
    try:
        commit = _git("rev-parse", "--short=10", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    except (OSError, subprocess.CalledProcessError):
        return ""  # an archive
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True).strip()


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
