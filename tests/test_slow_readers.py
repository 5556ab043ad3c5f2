"""A reader who takes long holds nothing while it does, so that many share few connections."""

import os
from contextlib import ExitStack

import pytest

from .web_servers import POOL, MiB, at_rest, databases, eventually, sessions_of, web_server

STEP = 128 * 1024


@pytest.mark.parametrize(
    ("readers", "options", "reads_from", "most"),
    [(100, POOL, "default", 4), (30, {"CONN_MAX_AGE": None}, "files", 0)],
    ids=["pool", "persistent, two aliases"],
)
def test_slow_readers_share_few_connections(
    stored, server, tmp_path, readers, options, reads_from, most
):
    content = os.urandom(2 * MiB)
    name = stored(content)
    site = {"DATABASES": databases(server, **options), "PG_LO_STORAGE_DB_FOR_READ": reads_from}
    with ExitStack() as stack:
        sessions = stack.enter_context(sessions_of(server))
        site = stack.enter_context(web_server("uvicorn", tmp_path, **site))
        responses, received, seen = [], [], []
        for _ in range(readers):
            responses.append(stack.enter_context(site.get(name)))
            received.append(responses[-1].read(STEP))
            seen += sessions()
        eventually(sessions, lambda seen: at_rest(seen) and len(seen) <= most)
        for _ in range(STEP, len(content), STEP):
            for number, response in enumerate(responses):
                received[number] += response.read(STEP)
            now = sessions()
            assert options is not POOL or len(now) <= most
            seen += now
    assert received == [content] * readers
    assert {state for state, _ in seen} <= {"active", "idle", None}  # None while it connects
