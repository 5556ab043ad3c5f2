"""What is read, and which connections are held, while a reader takes an answer."""

import asyncio
import logging
import threading

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, async_to_sync, sync_to_async
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.signals import request_finished
from django.db import connection, connections
from django.http import Http404
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import path

from lo_storage.catalogue import FIND
from lo_storage.large_objects import INV_WRITE
from lo_storage.models import LargeObject
from lo_storage.serving import streaming
from lo_storage.serving.answers import ContentForbidden, ContentMissing
from lo_storage.serving.streaming import SEND_ROW_SIZE, ContentChanged, astream, stream
from lo_storage.storage import DbFileIO, DbFileStorage, db_file_storage
from lo_storage.views import adb_serve, db_serve

pytestmark = pytest.mark.django_db


def body(response):
    return b"".join(response) if response.streaming else response.content


def entry():
    return LargeObject.objects.get()


@pytest.mark.parametrize(
    ("header", "ahead"),
    [
        ("", [bytes(SEND_ROW_SIZE)] * 9),
        ("bytes=5-14,2000000-2999999", [b"head", bytes(10), b"head"]),
    ],
)
@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_a_download_is_cut_when_the_file_changes(save, caplog, change, header, ahead):
    name = save(bytes(3_000_000), "x.private name")
    message = f"large object {entry().loid} was {change} while it was sent"
    stream = iter(db_serve(RequestFactory().get("/", headers={"Range": header}), name))
    sent = [next(stream) for _ in ahead]
    assert [b"head" if b"Content-Range: " in row else row for row in sent] == ahead
    if change == "deleted":
        db_file_storage.delete(name)
    else:
        with DbFileIO(entry().loid, "r+b") as file:
            file.write(b"x")
    with pytest.raises(ContentChanged, match=message):
        next(stream)
    assert list(stream) == []
    assert caplog.record_tuples == [("lo_storage", logging.WARNING, f"Download cut: {message}")]


@pytest.mark.parametrize("size", [7, 1_500_000])
@pytest.mark.parametrize("harm", ["lo_unlink({})", f"lo_truncate(lo_open({{}}, {INV_WRITE}), 3)"])
def test_a_large_object_that_is_missing_or_too_short_is_an_error_in_the_log(
    nothing_of_other_tests, save, caplog, size, harm
):
    name = save(bytes(size), "x.private name")
    with connection.cursor() as cursor:
        cursor.execute(f"select {harm.format(entry().loid)}")
    message = f"large object {entry().loid} is in the catalogue, and is missing or not of its size"
    with pytest.raises(ContentMissing, match=message):
        body(db_serve(RequestFactory().get("/"), name))
    assert caplog.record_tuples == [("lo_storage", logging.ERROR, message)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [7, 1_500_000])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_the_role_may_not_read_is_an_error_before_any_byte(
    save, caplog, somebody_else, size, is_async
):
    name = save(bytes(size), "x.private name")
    somebody_else(name)
    serve = {False: db_serve, True: async_to_sync(adb_serve)}[is_async]
    factory = {False: RequestFactory, True: AsyncRequestFactory}[is_async]()
    with pytest.raises(ContentForbidden) as error:
        serve(factory.get("/"), name)
    assert not isinstance(error.value, OSError)
    loid = entry().loid
    ((logger, level, message),) = caplog.record_tuples
    assert (logger, level) == ("lo_storage", logging.ERROR)
    assert message == (
        f"large object {loid} may not be read: permission denied for large object {loid}; give it"
        f" to the role of the site, by ALTER LARGE OBJECT {loid} OWNER TO …"
    )


# Read by three statements
LONG = 3_000_000


SIZES = [*[SEND_ROW_SIZE] * 23, 79_552]


def test_a_catalogue_that_the_role_may_no_longer_read_cuts_a_download(save, guest, caplog):
    """It is refused while a file is looked for that was deleted: that is no `OSError` either."""
    name = save(bytes(1_500_000))
    loid = entry().loid
    sent = iter(db_serve(RequestFactory().get("/"), name))
    for _ in range(9):
        next(sent)
    db_file_storage.delete(name)

    def become_guest(execute, sql, *args):
        if sql == FIND:
            connection.connection.execute(f"set local role {guest}")
        return execute(sql, *args)

    with connection.execute_wrapper(become_guest), pytest.raises(ContentForbidden) as error:
        next(sent)
    assert str(error.value) == (
        f"large object {loid} may not be read: permission denied for table lo_storage_largeobject;"
        " give the role of the site the right, by GRANT SELECT ON lo_storage_largeobject TO …"
    )
    assert caplog.record_tuples == [("lo_storage", logging.ERROR, str(error.value))]


@pytest.mark.django_db(transaction=True)
def test_asgi_streams_row_by_row(save):
    name = save(bytes(LONG), "x.bin")

    class Wrapped:
        """A request as other frameworks have it, around Django's."""

        def __init__(self, request):
            self._request = request

        def __getattr__(self, name):
            return getattr(self._request, name)

    async def sizes():
        request = AsyncRequestFactory().get("/")
        assert isinstance(request, ASGIRequest)
        response = await adb_serve(request, name)
        assert response.is_async
        wrapped = await adb_serve(Wrapped(request), name)
        assert wrapped.is_async
        sizes = [len(row) async for row in response]
        await sync_to_async(connections.close_all)()
        return sizes

    assert asyncio.run(sizes()) == SIZES


def test_a_slow_reader_keeps_no_connection_of_a_pool(save, another_alias):
    another_alias("pooled", pool={"min_size": 1, "max_size": 1})
    entry = db_file_storage.entry(save(bytes(LONG), "x.bin"))
    rows = stream("pooled", entry, [(0, entry.size)])
    for size in SIZES:
        assert len(next(rows)) == size
        assert connections["pooled"].connection is None


def test_a_slow_reader_of_a_small_file_keeps_no_connection_of_a_pool(save, another_alias):
    another_alias("pooled", pool={"min_size": 1, "max_size": 1})
    storage = DbFileStorage(alias="pooled")
    stream = iter(db_serve(RequestFactory().get("/"), save(b"0123456789"), storage=storage))
    assert next(stream) == b"0123456789"
    assert connections["pooled"].connection is None


def is_connected():
    return connection.connection is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sizes", [[7], SIZES])
def test_a_slow_reader_under_asgi_keeps_no_connection(save, sizes):
    name = save(bytes(sum(sizes)), "x.bin")

    async def read():
        rows = aiter(await adb_serve(AsyncRequestFactory().get("/"), name))
        for size in sizes:
            assert len(await anext(rows)) == size
            async with asyncio.timeout(60):
                while await sync_to_async(is_connected)():
                    pass
        assert await anext(rows, None) is None

    asyncio.run(read())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [7, LONG])
@pytest.mark.parametrize("reads", [1, 100])
def test_a_request_under_asgi_leaves_no_connection_also_where_they_persist(
    save, monkeypatch, size, reads
):
    name = save(bytes(size), "x.bin")
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)

    async def read():
        response = await adb_serve(AsyncRequestFactory().get("/"), name)
        rows = aiter(response)
        for _ in range(reads):
            await anext(rows, None)
        assert await sync_to_async(is_connected)()
        await request_finished.asend(sender=None)  # what Django does then
        assert not await sync_to_async(is_connected)()

    asyncio.run(read())


@pytest.mark.django_db(transaction=True)
def test_a_404_under_asgi_leaves_no_connection_also_where_they_persist(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)

    async def ask():
        with pytest.raises(Http404):
            await adb_serve(AsyncRequestFactory().get("/"), "16418.txt")
        assert await sync_to_async(is_connected)()
        await request_finished.asend(sender=None)
        assert not await sync_to_async(is_connected)()

    asyncio.run(ask())


@pytest.mark.django_db(transaction=True)
def test_clients_that_go_away_under_asgi_leave_no_thread(save, settings):
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    path = f"/kept/{save(bytes(1_500_000), 'x.bin')}"
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}

    async def abort(application):
        received = asyncio.Event()
        requests = iter([{"type": "http.request"}])

        async def receive():
            if request := next(requests, None):
                return request
            await received.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message.get("body"):
                received.set()
                await asyncio.Event().wait()  # for a client that takes no more

        await application(scope, receive, send)

    async def abort_many():
        application, threads = ASGIHandler(), set(threading.enumerate())
        await asyncio.gather(*(abort(application) for _ in range(20)))
        # Long enough for a machine that is busy; what stays, stays for ever. Without a pause this
        # loop would keep from the threads what they need to end.
        try:
            async with asyncio.timeout(300):
                while asyncio.all_tasks() != {asyncio.current_task()}:
                    await asyncio.sleep(0.01)
                # A thread of an earlier test's may end meanwhile.
                while not threads.issuperset(threading.enumerate()):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pytest.fail(f"left: {asyncio.all_tasks()}, {set(threading.enumerate()) - threads}")

    asyncio.run(abort_many())
    assert len(kept) == 20
    kept.clear()


@pytest.mark.django_db(transaction=True)
def test_a_response_that_is_closed_starts_no_thread_later(save):
    name = save(bytes(1_500_000), "x.bin")

    async def read():
        async with ThreadSensitiveContext() as context:
            response = await adb_serve(AsyncRequestFactory().get("/"), name)
            rows = aiter(response)
            await anext(rows)
            await sync_to_async(response.close)()
        while asyncio.all_tasks() != {asyncio.current_task()}:
            await asyncio.sleep(0.01)  # until it would have closed the connection
        assert context not in SyncToAsync.context_to_thread_executor

    asyncio.run(read())


def test_in_a_transaction_the_connection_stays(save, monkeypatch):
    monkeypatch.setattr(streaming, "PATIENCE", 0)
    entry = db_file_storage.entry(save(bytes(1_500_000), "x.bin"))

    async def read():
        rows = []
        async for row in await sync_to_async(astream)("default", entry, [(0, entry.size)]):
            rows.append(row)
            for _ in range(100):
                await sync_to_async(is_connected)()
        return b"".join(rows)

    assert async_to_sync(read)() == bytes(1_500_000)
    assert db_file_storage.exists(entry.name)


kept = []


def serve_and_keep(request, filename):
    kept.append(db_serve(request, filename))
    return kept[-1]


urlpatterns = [path("kept/<path:filename>", serve_and_keep)]
