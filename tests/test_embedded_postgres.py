"""The embedded PostgreSQL: real servers, each in a directory of its own."""

import json
import os
import pwd
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from config import embedded_postgres

ROOT = Path(__file__).parent.parent
USER = """
import json, pathlib, sys
from config import embedded_postgres
try:
    print(json.dumps(embedded_postgres.database(pathlib.Path(sys.argv[1]))), flush=True)
except embedded_postgres.StartError as error:
    sys.exit(str(error))
sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class User:
    """A process that uses the server of a project until it is told to end, or killed."""

    def __init__(self, project, prefix=(), **options):
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", USER, project],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def connect(self):
        self.settings = json.loads(self.process.stdout.readline())
        keys = {"HOST": "host", "PORT": "port", "USER": "user", "NAME": "dbname"}
        return psycopg.connect(
            autocommit=True, **{keys[k]: v for k, v in self.settings.items() if k in keys}
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.process:
            self.process.stdin.close()


def until(condition):
    deadline = time.monotonic() + 60
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return result


def running(project, lock="server"):
    lock = embedded_postgres.Lock.if_free(project / ".postgres" / lock)
    if lock:
        lock.release()
    return lock is None


def server(project):
    return psutil.Process(int((project / ".postgres/data/postmaster.pid").read_text().split()[0]))


@contextmanager
def connected(project, **options):
    with User(project, **options) as user, user.connect() as connection:
        yield connection


@pytest.fixture
def empty(tmp_path):
    """A folder that never had a database."""
    yield tmp_path
    if (tmp_path / ".postgres" / "server").exists():
        until(lambda: not running(tmp_path))


@pytest.fixture(scope="module")
def initialise(tmp_path_factory):
    """A function that gives a folder a database, which is made once and copied."""
    original = tmp_path_factory.mktemp("initialised") / ".postgres"
    original.mkdir()
    embedded_postgres.Server(original, embedded_postgres.find_programs()).initialise()

    def initialise(folder):
        folder.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", original, folder], check=True)
        return folder

    return initialise


@pytest.fixture
def project(empty, initialise):
    """A folder whose database has not run yet."""
    return initialise(empty)


def started(connection):
    return connection.execute("SELECT pg_postmaster_start_time()").fetchone()


def test_it_runs_as_long_as_somebody_uses_it(project):
    with connected(project) as first:
        with connected(project) as second:
            assert started(first) == started(second)
        assert running(project)
        socket = Path((project / ".postgres" / "socket").read_text())
        assert socket.stat().st_mode & 0o777 == 0o700
    until(lambda: not running(project))
    until(lambda: not socket.exists())


def test_data_survive_a_restart(project):
    with connected(project) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        before = started(connection)
    # The next may come while the server is being stopped.
    with connected(project) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        assert started(connection) > before


def test_settings(empty):
    with connected(empty) as connection:
        names = ["listen_addresses", "max_locks_per_transaction", "fsync", "is_superuser"]
        values = [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]
        assert values == ["", "1024", "on", "off"]
        assert connection.info.server_version // 10000 == 18
        query = (
            "SELECT setting, 'lz4' = ANY (enumvals) FROM pg_settings WHERE name LIKE '%%toast_c%%'"
        )
        ((compression, has_lz4),) = connection.execute(query).fetchall()
        assert compression == ("lz4" if has_lz4 else "pglz")
        connection.execute("CREATE DATABASE test_app")  # as a test run does


@pytest.mark.parametrize("name", ["two words", "$HOME `id` 'a' \"b\"", "x" * 120])
def test_any_path(empty, name):
    inside = empty / name
    inside.mkdir()
    with connected(inside) as connection:
        assert started(connection)
    until(lambda: not running(inside))


def test_two_projects_have_two_servers(tmp_path, initialise):
    paths = [initialise(tmp_path / name) for name in ["one", "two"]]
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(path)) for path in paths]
        assert started(connections[0]) != started(connections[1])
    for path in paths:
        until(lambda path=path: not running(path))


def test_a_copied_project_has_a_server_of_its_own(tmp_path, initialise):
    original, copy = initialise(tmp_path / "original"), tmp_path / "copy"
    with connected(original) as connection:
        subprocess.run(["cp", "-a", original, copy], check=True)
        with connected(copy) as another:
            assert another.info.host != connection.info.host
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with psycopg.connect(connection.info.dsn):
            pass
    for path in [original, copy]:
        until(lambda path=path: not running(path))


def test_many_at_once_start_one_server(empty):
    with ExitStack() as stack:
        users = [stack.enter_context(User(empty)) for _ in range(5)]
        connections = [stack.enter_context(user.connect()) for user in users]
        assert len({started(connection) for connection in connections}) == 1


def test_a_killed_user_is_no_user(project):
    with User(project) as user:
        user.connect().close()
        user.process.kill()
        until(lambda: not running(project))


def test_a_user_killed_while_the_server_starts_leaves_none(project):
    with connected(project):
        pass
    for _ in range(5):
        until(lambda: not running(project, "janitor"))
        with User(project) as user:
            until(lambda: running(project, "janitor"))
            user.process.kill()
    until(lambda: not running(project, "janitor"))
    assert not running(project)


def test_a_killed_server_comes_back(project):
    with User(project) as user, user.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server(project).send_signal(signal.SIGKILL)

        def answers():
            try:
                with psycopg.connect(host=user.settings["HOST"], user="app", dbname="app") as again:
                    return again.execute("SELECT answer FROM kept").fetchone()
            except psycopg.OperationalError:
                return None

        assert until(answers) == (42,)
        connection.close()


def test_everything_killed_leaves_nothing_in_the_way(project):
    with User(project) as user:
        user.connect().close()
        postmaster = server(project)
        for process in [postmaster.parent(), postmaster]:
            process.kill()
        user.process.kill()
    with connected(project) as connection:
        assert started(connection)


def test_a_killed_janitor_is_replaced(project):
    with User(project) as user:
        user.connect().close()
        before = server(project)
        before.parent().kill()
        with connected(project):
            assert server(project) == before
    until(lambda: not running(project))


def test_an_interrupted_initialisation_is_begun_anew(empty):
    (empty / ".postgres" / "data.new").mkdir(parents=True)
    (empty / ".postgres" / "data.new" / "PG_VERSION").write_text("18")
    with connected(empty) as connection:
        assert started(connection)


def test_a_full_disk_is_one_message_and_leaves_nothing(empty):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    with User(empty, preexec_fn=small_files) as user:
        _, errors = user.process.communicate()
    assert user.process.returncode == 1
    assert errors.startswith(f"initdb failed in {empty}/.postgres: ")
    assert "File too large" in errors
    assert "Traceback" not in errors
    assert not (empty / ".postgres" / "data").exists()
    with connected(empty) as connection:
        assert started(connection)


def test_a_server_that_cannot_start_says_why(project):
    with connected(project):
        pass
    until(lambda: not running(project))
    with (project / ".postgres/data/postgresql.conf").open("a") as file:
        file.write("max_connections = many\n")
    with User(project) as user:
        _, errors = user.process.communicate()
    assert "does not start" in errors
    assert 'invalid value for parameter "max_connections": "many"' in errors


@as_root
def test_a_home_that_others_may_not_enter_stays_so(empty):
    home = empty / "home"
    home.mkdir(mode=0o700)
    # The programs too, as where the virtual environment lies in such a home.
    package = embedded_postgres.find_programs().parent.parent
    for part in package.parent.glob("embedded_postgres*"):
        shutil.copytree(part, home / "packages" / part.name)
    environment = {**os.environ, "PYTHONPATH": str(home / "packages")}
    with connected(home, env=environment) as connection:
        assert started(connection)
        assert server(home).username() == embedded_postgres.SERVER_USER
        assert server(home).exe().startswith(str(home))
    assert home.stat().st_mode & 0o777 == 0o700
    until(lambda: not running(home))


@as_root
def test_where_others_may_enter_the_server_has_no_capability():
    # Where its own programs lie in a home that nobody may enter, it needs one all the same.
    in_reach = all(
        folder.stat().st_mode & 0o001 for folder in embedded_postgres.find_programs().parents
    )
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory)
        project.chmod(0o755)
        with connected(project):
            status = Path(f"/proc/{server(project).pid}/status").read_text()
        without = re.search(r"^CapEff:\s*0+$", status, re.MULTILINE)
        assert bool(without) == in_reach
        until(lambda: not running(project))


@as_root
def test_as_an_ordinary_user(empty):
    nobody = pwd.getpwnam("nobody")
    home = empty / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    # Reading everything, because this Python may lie in a home that nobody may enter.
    prefix = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    prefix += ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_read_search"]
    prefix += ["--ambient-caps=+dac_read_search"]
    with connected(home, prefix=prefix) as connection:
        assert started(connection)
        assert server(home).username() == "nobody"
    until(lambda: not running(home))
