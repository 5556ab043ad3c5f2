"""bin/faults: people use the site while all that can fail does, and then each file is sought."""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

from django.core.management import CommandError, call_command
from django.db import connections

from .clients import PASSWORD, Client
from .cluster import Cluster, small_disk, until
from .faults import FAULTS, Site

CLIENTS = 6
# What was answered stays in the memory of the server that is killed.
PLANTED = (
    "-c synchronous_commit=off -c wal_writer_delay=10s -c wal_writer_flush_after=1GB"
    " -c wal_buffers=64MB"
)
PAUSE = 3  # seconds at the most, between two faults; where there is one round, a third

ROWS = """
    select username, invoice.id, title, encode(sha256(lo_get(object.oid)), 'hex')
      from invoices_invoice invoice
      join users_user on users_user.id = owner_id
      left join lo_storage_largeobject on name = data
      left join pg_largeobject_metadata object on object.oid = loid
"""
UNNAMED = """
    select name from lo_storage_largeobject
     where not exists (select from invoices_invoice where data = name)
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/faults",
        description="Let people use the site at random while processes, servers and the disk fail,"
        " and look after each round whether every file is there that was answered as stored, and"
        " none that was refused. Exit status: 0 if so, and else 1.",
    )
    parser.add_argument("--minutes", type=float, help="how long (default: one round)")
    parser.add_argument("--seed", type=int, help="of what is random (default: another each time)")
    parser.add_argument(
        "--only", action="append", choices=FAULTS, help="one of the faults (can be given again)"
    )
    parser.add_argument(
        "--plant",
        action="store_true",
        help="let the server answer before it has written, which has to be found",
    )
    return parser.parse_args()


class Trial:
    def __init__(
        self, folder: Path, cluster: Cluster, options: argparse.Namespace, seed: int
    ) -> None:
        self.folder, self.cluster = folder, cluster
        self.pause = PAUSE if options.minutes else PAUSE / 3
        self.choice = random.Random(seed)
        self.faults = {name: FAULTS[name] for name in options.only or FAULTS}
        self.site = Site(cluster, self.choice)
        self.certificate = self._make_certificate()
        self.clients = [
            Client(f"c{number}", f"{seed} {number}", str(self.certificate))
            for number in range(CLIENTS)
        ]
        self.done: Counter[str] = Counter()
        self.found: list[str] = []
        self._set_up()

    def _make_certificate(self) -> Path:
        from tests.test_proxy import COMPOSE

        command = COMPOSE["services"]["certificate"]["command"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return self.folder / "site.crt"

    def _set_up(self) -> None:
        from django.contrib.auth import get_user_model

        call_command("migrate", verbosity=0)
        for client in self.clients:
            get_user_model().objects.create_user(client.name, password=PASSWORD)
        connections.close_all()
        with self.cluster.primary.connect() as session:
            session.execute("checkpoint")  # the tables stay, whatever is planted

    def round(self) -> None:
        """Each fault once, in another order, while clients work; then look at what is there."""
        from tests.serving import gunicorn
        from tests.test_proxy import CONFIG, PRODUCTION, nginx

        faults = list(self.faults.items())
        self.choice.shuffle(faults)
        over = threading.Event()
        with ExitStack() as stack:
            web, address, _ = stack.enter_context(gunicorn(self.folder, CONFIG, **PRODUCTION))
            port = address.rpartition(":")[2]
            _, address, proxy = stack.enter_context(nginx(self.folder, self.certificate, port))
            self.site.web, self.site.proxy = web, proxy.pid
            threads = []
            for client in self.clients:
                client.address, client.asked = address, 0
                threads.append(threading.Thread(target=client.work, args=[over]))
                threads[-1].start()
            # Nothing fails before something was done.
            until(lambda: all(client.asked >= 5 for client in self.clients), lambda: "5 answers")
            for name, fault in faults:
                self.site.wait(self.pause)
                fault(self.site)
                self.done[name] += 1
            self.site.wait(self.pause)
            over.set()
            for thread in threads:
                thread.join()
            proxy.terminate()
            proxy.wait()
            # A worker ends what it has begun, also for a client that has gone.
            os.kill(web, signal.SIGTERM)
            os.waitid(os.P_PID, web, os.WEXITED | os.WNOWAIT)
        self.cluster.mend()
        self.look()

    def look(self) -> None:
        """Compare what is there with what was answered."""
        with self.cluster.primary.connect() as session:
            rows = session.execute(ROWS).fetchall()
            self.found += [f"no row names {name}" for (name,) in session.execute(UNNAMED)]
        for client in self.clients:
            mine = [row[1:] for row in rows if row[0] == client.name]
            self.found += client.compare(mine) + client.found
            client.found = []
        for alias in ("default", "replica"):
            printed = StringIO()
            try:
                call_command(
                    "lo_check", verify=True, database=alias, stdout=printed, stderr=printed
                )
            except CommandError as error:
                self.found.append(f"lo_check of {alias}: {printed.getvalue()}{error}")
        connections.close_all()  # Those of the next round are others.
        self.files = sum(1 for row in rows if row[3])

    def report(self, rounds: int, seconds: float) -> None:
        used = sum((client.done for client in self.clients), Counter())
        print(f"{rounds} rounds in {seconds:,.0f} s; {self.files:,} files at the end.")
        for title, counted in [("Faults", self.done), ("Requests", used)]:
            print(f"{title}: {sum(counted.values()):,}")
            for name, count in sorted(counted.items()):
                print(f"  {count:6,} {name.replace('_', ' ')}")


def main() -> int:
    options = arguments()
    if not shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
        sys.exit("bin/faults: nginx is not installed; on Debian bin/clients installs it")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    print(f"--seed {seed}", flush=True)
    began, rounds = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="faults-", dir="/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "disk").mkdir()
        disk = stack.enter_context(small_disk(folder / "disk"))
        if disk is None:
            print("This user may not mount a disk: none is filled.")
        cluster = stack.enter_context(Cluster(folder, disk, PLANTED if options.plant else ""))
        os.environ |= {
            "DATABASE_URL": f"postgres://app@/{cluster.primary.socket}/app",
            "PGPORT": "5432",
            "REPLICA_SOCKET": str(cluster.replica.socket),
            "DJANGO_SETTINGS_MODULE": "trials.faults.settings",
            "SECRET_KEY": "of a trial",
        }
        import django

        django.setup()
        trial = Trial(folder, cluster, options, seed)
        while not trial.found and (
            not rounds or time.monotonic() - began < 60 * (options.minutes or 0)
        ):
            trial.round()
            rounds += 1
            asked = sum(client.asked for client in trial.clients)
            print(f"Round {rounds}: {asked:,} requests, {trial.files:,} files.", flush=True)
        trial.report(rounds, time.monotonic() - began)
    for line in trial.found:
        print(f"FOUND {line}")
    print(f"Findings: {len(trial.found)}.")
    return 1 if trial.found else 0


if __name__ == "__main__":
    sys.exit(main())
