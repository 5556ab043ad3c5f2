"""How long programs for backups take, with files of 1 MiB that nothing compresses.

python -m benchmarks.backups [--size GIGABYTES] [--into FOLDER] prints a table. It takes three times
the size of the disk; --server debian needs Debian's postgresql, pgbackrest and barman.
"""

import argparse
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from config import embedded_postgres
from lo_storage import catalogue

from .cluster import Cluster

ROOT = Path(__file__).parent.parent
MiB = 1024 * 1024
DEBIAN = min(Path("/usr/lib/postgresql").glob("*/bin"), default=Path())
NEWEST = embedded_postgres.find_programs()
SERVERS = {"newest": NEWEST, "debian": DEBIAN}


class Site(Cluster):
    """A server with the site's database, which archives what it writes."""

    def archive_by(self, archive_command: str = "true") -> None:
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"archive_mode = on\narchive_command = '{archive_command}'\n")
        self.start("max_wal_size=8GB", "max_locks_per_transaction=1024")

    def manage(self, *arguments: object, name: str = "app") -> None:
        """Run one of the site's commands on a database of it."""
        subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            env={
                **os.environ,
                "DEMO": "1",
                "DATABASE_URL": f"postgres://postgres@/{self.folder}/{name}",
            },
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    def fill(self, files: int) -> None:
        with self.connect("postgres") as session:
            session.execute("create database app")
        self.manage("migrate")
        with self.connect("app") as session, session.cursor(binary=True) as cursor:
            for _ in range(files):
                content = os.urandom(MiB)
                digest = hashlib.sha256(content).hexdigest()
                catalogue.create(cursor, content, "scan.pdf", digest)
            cursor.execute("checkpoint")

    def name(self, order: str) -> str:
        with self.connect("app") as session:
            query = f"select name from {catalogue.TABLE} order by loid {order} limit 1"
            return str(session.execute(query).fetchone()[0])  # type: ignore[index]  # it has a row


class Bench:
    def __init__(self, size: float) -> None:
        self.files = round(size * 1e9 / MiB)
        print(f"| {size:g} GB in {self.files:,} files | seconds | MB/s |\n| --- | --- | --- |")

    def time(self, title: str, work: Callable[[], object], *afterwards: Path) -> None:
        began = time.monotonic()
        work()
        seconds = time.monotonic() - began
        print(f"| {title} | {seconds:.0f} | {self.files * MiB / 1e6 / seconds:.0f} |", flush=True)
        for path in afterwards:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def server(self, site: Site, name: str) -> None:
        site.initialise()
        backrest, barman = configs(site)
        site.archive_by()
        site.fill(self.files)
        command = [site.owner.programs / "postgres", "--version"]
        print(f"| **{subprocess.check_output(command, text=True).strip()}** | | |", flush=True)
        self.physical(site)
        if name == "debian":
            self.debian(site, backrest, barman)
            return
        self.dump(site, "--format=custom", "--compress=0")
        self.dump(site, "--format=directory", "--jobs=2")
        self.dump(site, "--format=custom")

    def dump(self, site: Site, *options: str) -> None:
        dump, jobs = site.folder / "dump", [word for word in options if "jobs" in word]
        self.time(
            f"pg_dump {' '.join(options)}",
            lambda: site.run("pg_dump", *options, f"--file={dump}", "app"),
        )
        with site.connect("postgres") as session:
            session.execute("create database copy")
            self.time(
                " ".join(["pg_restore", *jobs]),
                lambda: site.run("pg_restore", "--exit-on-error", *jobs, "--dbname=copy", dump),
            )
            self.time(
                "lo_check --verify of that",
                lambda: site.manage("lo_check", "--verify", name="copy"),
            )
            session.execute("drop database copy")
        for order, title in (("asc", "first"), ("desc", "last")):
            self.one_file(site, dump, order, f"lo_restore of its {title} file")
        shutil.rmtree(dump) if dump.is_dir() else dump.unlink()

    def one_file(self, site: Site, dump: Path, order: str, title: str) -> None:
        program = f"--pg-restore={site.owner.programs / 'pg_restore'}"
        command = ["lo_restore", site.name(order), f"--dump={dump}", program]
        out = site.folder / "out"
        self.time(title, lambda: site.manage(*command, f"--output={out}"), out)

    def physical(self, site: Site) -> None:
        copy = site.folder / "copy"
        self.time(
            "pg_basebackup",
            lambda: site.run("pg_basebackup", f"--pgdata={copy}", "--checkpoint=fast"),
        )
        self.time("pg_verifybackup", lambda: site.run("pg_verifybackup", copy), copy)

    def pgbackrest(self, site: Site, config: Path) -> None:
        pgbackrest = ["/usr/bin/pgbackrest", f"--config={config}", "--stanza=papers"]
        restored = site.folder / "restored"
        site.run(*pgbackrest, "stanza-create")
        self.time("pgbackrest backup", lambda: site.run(*pgbackrest, "backup"))
        restored.mkdir(mode=0o700)
        os.chown(restored, site.owner.uid, site.owner.gid)
        self.time(
            "pgbackrest restore",
            lambda: site.run(*pgbackrest, f"--pg1-path={restored}", "restore"),
        )
        shutil.rmtree(restored)
        shutil.rmtree(site.folder / "repository")

    def barman(self, site: Site, config: Path) -> None:
        barman = ["/usr/bin/barman", "-q", "-c", str(config)]
        restored = site.folder / "restored"
        site.run(*barman, "switch-wal", "--force", "--archive", "papers")
        self.time("barman backup", lambda: site.run(*barman, "backup", "papers"))
        self.time(
            "barman recover", lambda: site.run(*barman, "recover", "papers", "latest", restored)
        )
        shutil.rmtree(restored)
        shutil.rmtree(site.folder / "barman")

    def debian(self, site: Site, backrest: Path, barman: Path) -> None:
        site.stop()
        site.archive_by(f"pgbackrest --config={backrest} --stanza=papers archive-push %p")
        self.pgbackrest(site, backrest)
        site.stop()
        site.archive_by(f"cp %p {site.folder}/barman/papers/incoming/%f")
        self.barman(site, barman)
        site.stop()
        for mode in ("--copy", "--link"):
            self.upgrade(site, mode)

    def upgrade(self, site: Site, mode: str) -> None:
        new = Cluster(NEWEST, site.folder / mode)
        new.initialise("--no-data-checksums")
        of_both = [f"--old-bindir={DEBIAN}", f"--new-bindir={NEWEST}", "--username=postgres"]
        of_both += [f"--old-datadir={site.data}", f"--new-datadir={new.data}"]
        command = ["pg_upgrade", mode, *of_both, f"--socketdir={new.folder}"]
        self.time(f"pg_upgrade {mode} to 18", lambda: new.run(*command), new.folder)


def configs(site: Site) -> tuple[Path, Path]:
    """Write the configuration of the two programs, and return where."""
    backrest, barman = site.folder / "pgbackrest.conf", site.folder / "barman.conf"
    here = site.folder
    backrest.write_text(
        f"[global]\nrepo1-path={here}/repository\nrepo1-retention-full=2\n"
        f"lock-path={here}\nspool-path={here}\n"
        "log-level-file=off\nstart-fast=y\nprocess-max=2\n"
        f"[papers]\npg1-path={site.data}\npg1-socket-path={here}\npg1-user=postgres\n"
    )
    barman.write_text(
        f"[barman]\nbarman_home = {here}/barman\nlog_file = {here}/barman.log\n"
        f"barman_user = {pwd.getpwuid(site.owner.uid).pw_name}\n"
        "[papers]\ndescription = papers\narchiver = on\nbackup_method = postgres\n"
        f"conninfo = host={here} user=postgres dbname=app\n"
        f"streaming_conninfo = host={here} user=postgres\n"
        f"path_prefix = {site.owner.programs}\nimmediate_checkpoint = true\n"
    )
    for folder in (here / "barman", here / "barman/papers", here / "barman/papers/incoming"):
        folder.mkdir()
        os.chown(folder, site.owner.uid, site.owner.gid)
    return backrest, barman


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backups", description=__doc__)
    parser.add_argument("--size", type=float, default=10, help="gigabytes of files (10)")
    parser.add_argument(
        "--into", type=Path, default=Path("/tmp"), help="where there is room (/tmp)"
    )
    parser.add_argument("--server", choices=SERVERS, nargs="*", default=[*SERVERS], help="(both)")
    options = parser.parse_args()
    bench = Bench(options.size)
    for server in options.server:
        with tempfile.TemporaryDirectory(prefix="backups-", dir=options.into) as folder:
            Path(folder).chmod(0o755)
            site = Site(SERVERS[server], Path(folder) / server)
            try:
                bench.server(site, server)
            finally:
                if (site.data / "postmaster.pid").exists():
                    site.stop()


if __name__ == "__main__":
    main()
