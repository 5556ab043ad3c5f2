"""Downloads from real web servers: what they hold while a client reads, and after it has gone."""

import os
import tempfile
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path

import pytest
from django.db import connections, transaction

from lo_storage.storage import DbFileIO, db_file_storage
from lo_storage.tests.models import Document

from .conftest import ALIAS
from .programs import program, started
from .web_servers import MiB, at_rest, databases, eventually, sessions_of, web_server


def loid_of(name):
    return db_file_storage.entry(name).loid


@contextmanager
def pgbouncer(server, *lines):
    """A pgbouncer that pools transactions in front of the server; `lines` are of its settings."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", dir="/tmp") as directory:
        server.own(directory)
        settings = Path(directory) / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={server.socket} port=5432 user=app\n"
            f"[pgbouncer]\nunix_socket_dir = {directory}\nlisten_port = 6432\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n" + "\n".join(lines)
        )
        command = [*server.server.prefix, program("pgbouncer"), "-q", settings]
        with started(command, Path(directory) / ".s.PGSQL.6432", Path(directory) / "log"):
            yield {"HOST": directory, "PORT": "6432"}


# So that whatever is not given back is missed by the next request.
ONE = {"OPTIONS": {"pool": {"min_size": 1, "max_size": 1}}}

# The server, the options of its database, and how many connections it keeps while it is idle.
SITES = {
    "sync": ("sync", {}, 0),
    # Two, because ATOMIC_REQUESTS begins a transaction of each alias.
    "gthread, persistent": ("gthread", {"CONN_MAX_AGE": None, "ATOMIC_REQUESTS": True}, 2),
    "gthread, pool": ("gthread", ONE, 1),
    "gthread, pgbouncer": ("gthread", {"pgbouncer": True}, 1),
    "uvicorn": ("uvicorn", {"ATOMIC_REQUESTS": True}, 0),
    "uvicorn, persistent": ("uvicorn", {"CONN_MAX_AGE": None}, 0),
    "uvicorn, pool": ("uvicorn", ONE, 1),
    "uvicorn, pgbouncer": ("uvicorn", {"pgbouncer": True}, 1),
}


@pytest.fixture(scope="module", params=SITES)
def site(request, running, tmp_path_factory):
    """A site under each server, with each kind of connection."""
    kind, options, most = SITES[request.param]
    options = dict(options)
    with ExitStack() as stack:
        if options.pop("pgbouncer", False):
            options |= stack.enter_context(pgbouncer(running))
        directory = tmp_path_factory.mktemp("site")
        server = web_server(kind, directory, DATABASES=databases(running, **options))
        site = stack.enter_context(server)
        site.may_keep = most
        yield site


@contextmanager
def nothing_stays(site, server, name):
    """The sessions, and a site that after the block holds no more than before it."""
    with sessions_of(server) as sessions:
        with site.get(name) as response:
            response.read()
        eventually(sessions, lambda seen: len(seen) <= site.may_keep)
        limits = [site.may_keep, *site.threads_and_descriptors()]
        yield sessions
        eventually(
            lambda: [len(sessions()), *site.threads_and_descriptors()],
            lambda seen: all(count <= limit for count, limit in zip(seen, limits, strict=True)),
        )


def test_a_download_takes_neither_memory_nor_disk(site, stored):
    small, large = stored(b"small"), stored(b"begin", size=1024 * MiB)
    with site.get(small) as response:
        assert response.read() == b"small"
    memory, written = site.most_memory(), site.written()
    with site.get(large) as response:
        assert response.getheader("Content-Length") == str(1024 * MiB)
        assert response.read(5) == b"begin"
        for _ in range(40):
            assert len(response.read(MiB)) == MiB
        assert site.most_memory() - memory < 5_000_000
        assert site.written() - written < 10_000  # the log


def test_a_reader_who_waits_holds_no_transaction_and_one_who_goes_nothing(site, stored, server):
    content = os.urandom(3 * MiB)
    name = stored(content)
    with nothing_stays(site, server, name) as sessions:
        for _ in range(6):
            with site.get(name) as response:
                assert response.read(10) == content[:10]
                eventually(sessions, at_rest)


@pytest.mark.parametrize("site", ["sync", "gthread, persistent", "uvicorn"], indirect=True)
def test_each_answer_ends_where_the_next_one_begins(site, stored, server):
    content = os.urandom(700_000)
    name = stored(content)
    connecting = closing(HTTPConnection(*site.address, timeout=30))
    with sessions_of(server) as sessions, connecting as connection:
        for method, headers, status, length in [
            ("HEAD", {}, 200, 700_000),
            ("GET", {"Range": "bytes=5-9"}, 206, 5),
            ("GET", {"If-None-Match": "*"}, 304, None),
            ("HEAD", {"If-None-Match": "*"}, 304, None),
            ("GET", {"If-Match": '"other"'}, 412, 0),
            ("HEAD", {"If-Match": '"other"'}, 412, 0),
            ("GET", {"Range": "bytes=700000-"}, 416, 0),
            ("GET", {"Range": "bytes=0-9,20-29"}, 206, ...),
            ("POST", {}, 405, ...),
            ("GET", {}, 200, 700_000),
        ]:
            connection.request(method, f"/{name}", headers=headers)
            response = connection.getresponse()
            assert response.status == status
            if length is not ...:
                sent = response.getheader("Content-Length")
                assert sent == (None if length is None else str(length))
                assert response.getheader("Transfer-Encoding") is None
            got = response.read()
        assert got == content
        eventually(sessions, lambda seen: len(seen) <= site.may_keep)


@pytest.mark.parametrize(
    "site",
    ["gthread, persistent", "uvicorn", "uvicorn, persistent", "uvicorn, pool"],
    indirect=True,
)
def test_an_async_view_serves_as_well(site, stored, server):
    content = os.urandom(3 * MiB)
    name = stored(content)
    with (
        nothing_stays(site, server, name) as sessions,
        site.get(f"async/{name}") as response,
    ):
        assert response.read(10) == content[:10]
        eventually(sessions, at_rest)
        assert response.read() == content[10:]


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_a_file_that_changes_is_cut_and_comes_whole_when_the_client_resumes(
    site, stored, server, change
):
    content, new = os.urandom(3 * MiB), os.urandom(2 * MiB)
    name = stored(content)
    with nothing_stays(site, server, name):
        with site.get(name) as response:
            etag, begin = response.getheader("ETag"), response.read(1000)
            if change == "overwritten":
                with transaction.atomic(using=ALIAS), DbFileIO(loid_of(name), "r+b") as file:
                    file.truncate(0)
                    file.write(new)
            else:
                Document.objects.using(ALIAS).delete()
            connections[ALIAS].close()
            with pytest.raises(IncompleteRead) as cut:
                response.read()
        got = begin + cut.value.partial
        assert got == content[: len(got)]
    with site.get(name, Range=f"bytes={len(got)}-", **{"If-Range": etag}) as response:
        if change == "overwritten":
            assert (response.status, response.read()) == (200, new)
        else:
            assert response.status == 404


@pytest.mark.parametrize("site", ["sync", "gthread, persistent"], indirect=True)
def test_under_gunicorn_a_file_whose_large_object_is_missing_is_a_500(site, stored, server):
    name = stored(bytes(MiB))
    with server.connect() as session:
        session.execute("select lo_unlink(%s)", [loid_of(name)])
    connections[ALIAS].close()
    with site.get(name) as response:
        assert response.status == 500


@pytest.mark.parametrize("path", ["{}", "async/{}"])
@pytest.mark.parametrize("size", [1000, 700_000])
@pytest.mark.parametrize("site", ["sync", "gthread, persistent", "uvicorn"], indirect=True)
def test_what_the_role_may_not_read_is_a_500_before_any_byte(site, stored, server, size, path):
    content = os.urandom(size)
    name = stored(content)
    loid = loid_of(name)
    connections[ALIAS].close()
    logged = len(site.log.read_text())
    with server.connect("postgres") as session:
        session.execute(f"alter large object {loid} owner to postgres")
        try:
            for headers in ({}, {"Range": "bytes=5-9"}, {"If-None-Match": '"another"'}):
                with site.get(path.format(name), **headers) as response:
                    assert response.status == 500
                    assert b"<h1>Server Error (500)</h1>" in response.read()
        finally:
            session.execute(f"alter large object {loid} owner to app")
    remedy = f"by ALTER LARGE OBJECT {loid} OWNER TO …"
    eventually(lambda: site.log.read_text()[logged:].count(remedy), lambda count: count >= 3)
    with site.get(path.format(name)) as response:
        assert (response.status, response.read()) == (200, content)


@pytest.mark.parametrize("site", ["sync", "gthread, persistent", "uvicorn"], indirect=True)
def test_what_the_role_may_no_longer_read_is_cut_and_told(site, stored, server):
    content = os.urandom(3 * MiB)
    name = stored(content)
    loid = loid_of(name)
    connections[ALIAS].close()
    with server.connect("postgres") as session, site.get(name) as response:
        assert response.read(10) == content[:10]
        session.execute(f"alter large object {loid} owner to postgres")
        try:
            with pytest.raises(IncompleteRead):
                response.read()
        finally:
            session.execute(f"alter large object {loid} owner to app")
    remedy = f"by ALTER LARGE OBJECT {loid} OWNER TO …"
    # Once by the library and once, with its traceback, by a server that takes nobody for gone.
    eventually(lambda: site.log.read_text().count(remedy), lambda count: count >= 2)


def test_gunicorn_s_timeout_cuts_a_download_of_the_sync_worker_only(
    stored, server, tmp_path, monkeypatch
):
    content = os.urandom(3 * MiB)
    name = stored(content)
    with ExitStack() as stack:
        sites, responses = {}, {}
        # Gunicorn looks once a second: when it has cut the second it has had to cut the first.
        for kind, timeout in [("gthread", 1), ("sync", 2)]:
            monkeypatch.setenv("GUNICORN_CMD_ARGS", f"--timeout={timeout}")
            site = web_server(kind, tmp_path, DATABASES=databases(server))
            sites[kind] = stack.enter_context(site)
            responses[kind] = stack.enter_context(sites[kind].get(name))
            assert responses[kind].read(10) == content[:10]
        eventually(lambda: "WORKER TIMEOUT" in sites["sync"].log.read_text(), bool)
        with pytest.raises(IncompleteRead):
            responses["sync"].read()
        assert responses["gthread"].read() == content[10:]
