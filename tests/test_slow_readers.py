"""A reader who takes long holds nothing while it does, so that many share few connections."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest

from .web_servers import POOL, MiB, at_rest, databases, eventually, sessions_of, web_server


@pytest.mark.parametrize(
    ("readers", "options"), [(100, POOL), (30, {"CONN_MAX_AGE": None})], ids=["pool", "persistent"]
)
def test_slow_readers_share_few_connections(stored, server, tmp_path, readers, options):
    content = os.urandom(2 * MiB)
    name = stored(content)
    done, seen = Event(), []
    with ExitStack() as stack:
        sessions = stack.enter_context(sessions_of(server))
        site = stack.enter_context(
            web_server("uvicorn", tmp_path, DATABASES=databases(server, **options))
        )
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        watching = pool.submit(lambda: [seen.extend([sessions()]) for _ in iter(done.is_set, True)])
        stack.callback(done.set)
        responses = [stack.enter_context(site.get(name)) for _ in range(readers)]
        received = [response.read(1000) for response in responses]
        # They have begun, and wait.
        done.set()
        watching.result()
        most = 4 if options is POOL else 0
        eventually(sessions, lambda seen: at_rest(seen) and len(seen) <= most)
        for _ in range(0, len(content), 128 * 1024):
            received = [
                begin + response.read(128 * 1024)
                for begin, response in zip(received, responses, strict=True)
            ]
            seen.append(sessions())
    assert received == [content] * readers
    assert not any("idle in transaction" in str(state) for states in seen for state, _ in states)
    if options is POOL:
        assert max(map(len, seen)) <= 4
