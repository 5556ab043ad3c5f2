"""What `bin/bench` measures with: its relay, its clock of processors, and where figures go."""

import hashlib
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from random import Random

import psycopg
import pytest
from django.db import connection
from psycopg.pq import Trace

from benchmarks import processor, report
from benchmarks.relay import Trips, relay

pytestmark = pytest.mark.django_db


def connect(**there):
    settings = connection.settings_dict
    here = {"host": settings["HOST"], "port": settings["PORT"] or 5432}
    common = {"user": settings["USER"], "dbname": settings["NAME"], "sslmode": "disable"}
    password = settings["PASSWORD"] or None
    return psycopg.connect(**common | here | there, password=password, autocommit=True)


@contextmanager
def relayed(delay=0):
    settings = connection.settings_dict
    server = relay(settings["HOST"], int(settings["PORT"] or 5432), delay)
    with server as there, connect(host="127.0.0.1", port=there.port) as session:
        yield there, session


def test_a_relay_counts_as_many_round_trips_as_libpq(tmp_path):
    with relayed() as (there, session), (tmp_path / "trace").open("w+b") as trace:
        before = there.trips
        session.pgconn.trace(trace.fileno())
        session.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        session.execute("select repeat('x', 100000)").fetchall()
        with session.transaction():
            session.execute("select %b", [bytes(1_000_000)]).fetchall()
        session.pgconn.untrace()
        trace.seek(0)
        assert there.trips - before == sum(b"ReadyForQuery" in line for line in trace) == 4


def test_what_is_counted_does_not_depend_on_how_messages_are_cut():
    ready = b"Z" + (5).to_bytes(4) + b"I"
    row = b"D" + (4 + len(ready)).to_bytes(4) + ready  # data, whatever it looks like
    stream = (row + ready) * 3
    for length in range(1, len(stream) + 1):
        trips = Trips()
        for start in range(0, len(stream), length):
            trips.feed(stream[start : start + length])
        assert trips.count == 3


def test_a_relay_delays_each_round_trip_by_twice_its_delay():
    with relayed(0.02) as (_, session):
        began = time.perf_counter()
        for _ in range(3):
            session.execute("select 1")
        assert time.perf_counter() - began >= 3 * 0.04


def test_a_relay_delays_and_does_not_throttle():
    content = Random(0).randbytes(20_000_000)
    with relayed(0.1) as (there, session):
        before = there.trips
        began = time.perf_counter()
        (back,) = session.execute("select %b", [content], binary=True).fetchone()
        seconds = time.perf_counter() - began
        assert hashlib.sha256(back).digest() == hashlib.sha256(content).digest()
        # In pieces of 256 KiB that wait for each other it would take 150 delays.
        assert 0.2 <= seconds < 0.1 * 100
        assert there.trips - before == 1


def test_a_relay_hands_on_the_end_of_a_connection():
    with relayed(0.001) as (_, session), pytest.raises(psycopg.OperationalError):
        session.execute("select pg_terminate_backend(pg_backend_pid())")


def test_a_relay_to_no_server_refuses(tmp_path):
    with relay(str(tmp_path), 5432) as nowhere, pytest.raises(psycopg.OperationalError):
        connect(host="127.0.0.1", port=nowhere.port)


SPIN = "import time\nwhile time.process_time() < 0.2: pass\n"
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
input("it has ended\\n")
"""


def test_processor_time_of_a_family_has_that_of_children_that_have_ended():
    command = [sys.executable, "-c", PARENT, SPIN]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as parent:
        assert parent.stdout.readline() == b"it has ended\n"
        alone, family = processor.of(parent.pid), processor.of_family(parent.pid)
        parent.communicate(b"\n")
    assert family - alone >= 180_000_000


def test_a_server_s_processor_time_is_found_by_a_backend_of_it():
    with connect() as session:
        backend = session.info.backend_pid
        server = processor.parent_of_backend(backend)
        before, family = processor.of(backend), processor.of_family(server)
        session.execute("select count(sqrt(n)) from generate_series(1, 200000) as n")
        of_backend = processor.of(backend) - before
        session.execute("select pg_sleep(0.2)")
        assert processor.of(backend) - before < of_backend + 100_000_000
        assert processor.of_family(server) - family >= of_backend > 0


def outcome(version, seconds):
    return {
        "about": [{"command": f"bin/bench {version}", "versions": {"PostgreSQL": version}}],
        "works": [
            {"key": "write", "title": "write", "seconds": {"lo_storage": [seconds]}, "facts": {}}
            | {"unit": "MiB/s", "amount": 1, "targets": []}
        ],
    }


@pytest.mark.parametrize(
    ("version", "keys"), [("18.7", ["write"]), ("15.9", ["write", "write-15"])]
)
def test_a_run_replaces_its_works_and_another_postgresql_has_its_own(tmp_path, version, keys):
    (tmp_path / "benchmark.json").write_text(json.dumps(outcome("18.6", 1)))
    merged = report.merge(outcome(version, 2), tmp_path)
    assert [work["key"] for work in merged["works"]] == keys
    assert merged["works"][-1]["seconds"] == {"lo_storage": [2]}


def test_beside_each_time_are_processor_time_and_round_trips():
    run = outcome("18.6", 0.004)
    run["works"][0] |= {"client": {"lo_storage": [0.001]}, "server": {"lo_storage": [0.002]}}
    run["works"][0]["facts"] = {report.TRIPS: {"lo_storage": 3.0}, "MiB": {"lo_storage": 1.5}}
    *_, line = report.figures(run, "simple").splitlines()
    assert " ".join(line.split()) == "write lo_storage 4 4 250 MiB/s 1.00 1 2 3 MiB: 1.5"
