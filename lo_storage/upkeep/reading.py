"""How what reads all files reads them: read-only, in statements of bounded length, some at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.db import Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# Of SQLSTATE: "Internal Error", as of a page that is damaged, and "System Error", as of the disk.
DAMAGE = ("XX", "58")


@contextmanager
def reading(alias: str) -> Iterator[Any]:
    """Yield a cursor in a transaction that can change nothing."""
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("set transaction read only")
        yield cursor


def in_chunks(alias: str, query: str, params: Any = None, size: int = 2000) -> Iterator[list[Any]]:
    """Yield the rows of a query that may have any number of them, by a cursor of the server."""
    with reading(alias), connections[alias].chunked_cursor() as cursor:
        cursor.execute(query, params)
        while rows := cursor.fetchmany(size):
            yield rows


def at_once[T, R](jobs: int, work: Callable[[T], R], parts: Iterable[T], alias: str) -> Iterator[R]:
    """Yield `work(part)` of each part, in order; with more than one job, each in a thread.

    A thread has a connection of its own, and no more parts are begun than are soon asked for:
    neither connections nor memory grow with their number.
    """
    if jobs == 1:
        yield from map(work, parts)
        return

    opened: list[BaseDatabaseWrapper] = []

    def begin_thread() -> None:
        connection: BaseDatabaseWrapper = connections[alias]
        connection.inc_thread_sharing()  # It is closed here, when the thread has ended.
        opened.append(connection)

    rest = iter(parts)
    running: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(jobs, initializer=begin_thread)
    try:
        running.extend(pool.submit(work, part) for part in islice(rest, 2 * jobs))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(work, part) for part in islice(rest, 1))
    finally:
        pool.shutdown(cancel_futures=True)
        for connection in opened:
            connection.close()


def damage(error: Error) -> str:
    """Return what the server says of a page that it cannot read; raise any other error again."""
    if not str(getattr(error.__cause__, "sqlstate", None)).startswith(DAMAGE):
        raise error
    return str(error).splitlines()[0]
