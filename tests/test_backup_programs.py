"""PostgreSQL's and Debian's programs for backups, on Debian's server and on 18: what comes back.

A leg of .ci/run, which installs them. After each restore `lo_check --verify` says what is true.
"""

import pwd
import shutil
import subprocess
import tempfile
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from config import embedded_postgres
from lo_storage.tests.models import Document
from lo_storage.upkeep import columns

from .conftest import ALIAS, Router, Server
from .test_checking import check
from .web_servers import eventually

documents = Document.objects.using(ALIAS)

DEBIAN = min(Path("/usr/lib/postgresql").glob("*/bin"))
NEWEST = embedded_postgres.find_programs()
BOTH = pytest.mark.parametrize("programs", [DEBIAN, NEWEST], ids=["debian", "newest"])

FILES = {"march": b"m" * 10_000, "april": b"april", "empty": b""}
CLEAN = (0, [])


def all_are(kind):
    return 1, [(kind, title) for title in sorted(FILES)]


class Cluster(Server):
    """A server of any version in a folder of its own."""

    def __init__(self, programs, folder):
        folder.mkdir()
        self.server = embedded_postgres.Server(folder, programs)
        self.data, self.log, self.socket = folder / "data", folder / "log", str(folder)
        self.folder = folder
        self.log.touch()
        self.own(folder)
        self.own(self.log)

    def initialise(self, *options):
        made = [f"--pgdata={self.data}", "--username=postgres", "--auth=trust", "--encoding=UTF8"]
        self.run("initdb", *made, "--locale=C.UTF-8", *options)

    def start(self, options=""):
        super().start(f"-c listen_addresses= {options}")
        with self.at("postgres") as session:
            recovering = "select pg_is_in_recovery()"
            eventually(lambda: session.execute(recovering).fetchone(), lambda row: not row[0])

    def at(self, database):
        self.database = database
        return self.connect("postgres")

    def use(self, database, user="app"):
        super().use(database, user)
        connections[ALIAS].settings_dict["HOST"] = self.socket

    def configure(self, **settings):
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def run(self, program, *arguments, status=0):
        """Run a program as the owner of the data; return what it prints."""
        done = subprocess.run(
            [*self.server.prefix, self.server.programs / program, *arguments],
            env=self.server.environment | {"PGHOST": self.socket, "PGUSER": "postgres"},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == status, done.stdout
        return done.stdout


@pytest.fixture(scope="module", autouse=True)
def alias(django_db_blocker):
    """The site: its files and its rows are in the database of the alias."""
    with (
        pytest.MonkeyPatch.context() as patch,
        override_settings(
            PG_LO_STORAGE_DB_FOR_READ=ALIAS,
            PG_LO_STORAGE_DB_FOR_WRITE=ALIAS,
            DATABASE_ROUTERS=[Router()],
        ),
        django_db_blocker.unblock(),
    ):
        patch.setattr(columns, "apps", SimpleNamespace(get_models=lambda: [Document]))
        connections[ALIAS] = connections["default"].copy(ALIAS)
        connections[ALIAS].settings_dict |= {"PORT": "5432"}
        yield
        connections[ALIAS].close()
        del connections[ALIAS]


@pytest.fixture(scope="module")
def make():
    """A function that returns a folder for a cluster, which is stopped in the end."""
    made = []
    with tempfile.TemporaryDirectory(prefix="backup-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)

        def make(programs):
            made.append(Cluster(programs, Path(folder) / str(len(made))))
            return made[-1]

        yield make
        for cluster in made:
            if (cluster.data / "postmaster.pid").exists():
                cluster.stop("immediate")


def fill(cluster, **settings):
    """Make a cluster that has the site's database with three files."""
    cluster.initialise()
    cluster.configure(**settings)
    cluster.start()
    with cluster.at("postgres") as session:
        session.execute("create role app login createdb")
        session.execute("create database app owner app")
    cluster.use("app")
    cluster.make_tables()
    for title, content in FILES.items():
        store(title, content)
    assert check(verify=True) == CLEAN


@pytest.fixture(scope="module", params=[DEBIAN, NEWEST], ids=["debian", "newest"])
def running(request, make):
    """A cluster for the tests of pg_dump."""
    cluster = make(request.param)
    fill(cluster)
    connections[ALIAS].close()
    with cluster.at("postgres") as session:
        session.execute("alter database app rename to filled")
    return cluster


@pytest.fixture
def site(running):
    """The cluster, with the site's database as it was."""
    with running.at("postgres") as session:
        session.execute("create database app template filled owner app")
        running.use("app")
        yield running
        connections[ALIAS].close()
        for name in ("app", "copy"):
            session.execute(f"drop database if exists {name} with (force)")
    shutil.rmtree(running.folder / "dump", ignore_errors=True)
    (running.folder / "dump").unlink(missing_ok=True)


def store(title, content):
    documents.create(title=title, data=ContentFile(content, f"{title}.txt"))


def new_database(cluster, name="copy"):
    with cluster.at("postgres") as session:
        session.execute(f"create database {name} owner app")
    cluster.use(name)


TABLES = ["--data-only", "--table=lo_storage_*"]


@pytest.mark.parametrize(
    ("dump", "restore", "found"),
    [
        ([], [], CLEAN),
        (["--format=directory", "--jobs=2"], ["--jobs=2"], CLEAN),
        ([], ["--single-transaction"], CLEAN),
        (["--format=tar"], [], CLEAN),
        (["--data-only"], [], CLEAN),
        ([*TABLES, "-b"], [], CLEAN),
        (TABLES, [], all_are("file-without-object")),
        (["--schema=public"], ["--clean", "--if-exists"], all_are("file-without-object")),
        (["-B"], [], all_are("file-without-object")),
        ([], ["--no-owner"], all_are("wrong-owner")),
        ([], ["--no-owner", "--role=app"], CLEAN),
    ],
)
def test_a_dump_in_a_new_database(site, dump, restore, found):
    dump = ["--format=custom", *dump, "--file=dump", "app"]
    site.run("pg_dump", *dump)
    new_database(site)
    if "--data-only" in dump:
        site.make_tables()
        with site.at("copy") as session:
            session.execute("truncate django_migrations")
        site.use("copy")
    site.run("pg_restore", "--exit-on-error", *restore, "--dbname=copy", "dump")
    if "--no-owner" in restore:
        with site.at("copy") as session:
            session.execute("grant select on all tables in schema public to app")
        site.use("copy")
    assert check(verify=True) == found
    # Whatever numbers are taken, files can be stored.
    if found == CLEAN:
        for number in range(20):
            store(str(number), b"new")
        assert check(verify=True) == CLEAN
        site.database = "copy"
        assert set(site.stored()) >= set(FILES)


def test_a_database_without_its_objects_takes_files(site):
    """Their numbers are free, and no upload takes one of them."""
    site.run("pg_dump", "--format=custom", "-B", "--file=dump", "app")
    new_database(site)
    site.run("pg_restore", "--exit-on-error", "--dbname=copy", "dump")
    for number in range(100):
        store(str(number), b"new")
    assert check(verify=True) == all_are("file-without-object")


def test_a_database_that_is_in_use(site):
    """--clean brings back what the dump has; without, nothing may be there."""
    site.run("pg_dump", "--format=custom", "--file=dump", "app")
    store("may", b"may")
    lost = documents.get(title="may").data.name.partition(".")[0]
    connections[ALIAS].close()
    site.run("pg_restore", "--exit-on-error", "--dbname=app", "dump", status=1)
    assert check(verify=True) == CLEAN
    connections[ALIAS].close()
    site.run("pg_restore", "--clean", "--if-exists", "--exit-on-error", "--dbname=app", "dump")
    assert check(verify=True) == (1, [("object-without-file", f"large object {lost}")])


def test_without_exit_on_error_large_objects_are_written_over(site):
    """pg_restore goes on after "already exists", and writes into what has the number."""
    site.run("pg_dump", "--format=custom", "--file=dump", "app")
    with site.at("app") as session:
        query = "select min(loid)::bigint from lo_storage_largeobject"
        (number,) = session.execute(query).fetchone()
    for option, status, begins in [("--exit-on-error", 1, b"theirs"), ("--verbose", 1, b"mmmmmm")]:
        new_database(site)
        with site.at("copy") as session:
            session.execute(f"select lo_from_bytea({number}, convert_to('theirs', 'UTF8'))")
            site.run("pg_restore", option, "--dbname=copy", "dump", status=status)
            (found,) = session.execute(f"select lo_get({number}, 0, 6)").fetchone()
        assert found == begins
        with site.at("postgres") as session:
            session.execute("drop database copy with (force)")


@pytest.mark.parametrize("format", ["custom", "directory", "tar", "plain"])
def test_one_file_out_of_a_dump(site, format):
    """By the server's own pg_restore, and by the newest."""
    site.run("pg_dump", f"--format={format}", "--file=dump", "app")
    name = documents.get(title="march").data.name
    for programs in (site.server.programs, NEWEST):
        with site.at("app") as session:
            session.execute(f"select lo_unlink({name.partition('.')[0]})")
        site.use("app")
        assert check() == (1, [("file-without-object", "march")])
        backup = {"dump": site.folder / "dump", "pg_restore": str(programs / "pg_restore")}
        call_command("lo_restore", name, **backup, apply=True, stdout=StringIO(), stderr=StringIO())
        assert check(verify=True) == CLEAN


def deleted_after(cluster, backup):
    """Make a backup, store one more file, and return the time before all were deleted."""
    backup()
    with cluster.at("app") as session:
        clock = "select clock_timestamp(), date_trunc('second', clock_timestamp())"
        (_, ended) = session.execute(clock).fetchone()
        # pgBackRest keeps whole seconds, and restores to none in which the backup ended.
        eventually(lambda: session.execute(clock).fetchone(), lambda now: now[1] > ended)
        store("june", b"june" * 5_000)
        (moment, _) = session.execute(clock).fetchone()
    documents.all().delete()
    assert check(verify=True) == CLEAN
    with cluster.at("app") as session:
        session.execute("select pg_switch_wal()")
    connections[ALIAS].close()
    return moment.isoformat(" ")


def assert_all_is_back(restored, site):
    restored.start("-c archive_mode=off")
    restored.use("app")
    assert check(verify=True) == CLEAN
    assert restored.stored() == FILES | {"june": b"june" * 5_000}
    # One of them, into the database that lives.
    name = documents.get(title="june").data.name
    site.use("app")
    address = f"host={restored.socket} port=5432 dbname=app user=postgres"
    into = restored.folder / "out"
    call_command("lo_restore", name, output=into, server=address, stdout=StringIO())
    assert (into / name).read_bytes() == b"june" * 5_000


@BOTH
def test_pg_basebackup_and_the_second_before_a_deletion(make, programs):
    site, restored = make(programs), make(programs)
    archive = site.folder / "archive"
    archive.mkdir()
    site.own(archive)
    fill(site, archive_mode="on", archive_command=f"cp %p {archive}/%f")

    def backup():
        site.run("pg_basebackup", f"--pgdata={restored.data}", "--checkpoint=fast")
        verified = site.run("pg_verifybackup", restored.data)
        assert verified == "backup successfully verified\n"

    moment = deleted_after(site, backup)
    restored.configure(
        restore_command=f"cp {archive}/%f %p",
        recovery_target_time=moment,
        recovery_target_action="promote",
    )
    (restored.data / "recovery.signal").touch()
    restored.own(restored.data / "recovery.signal")
    assert_all_is_back(restored, site)


def test_pgbackrest(make):
    site, restored = make(DEBIAN), make(DEBIAN)
    config, repository = site.folder / "pgbackrest.conf", site.folder / "repository"
    config.write_text(
        "[global]\n"
        f"repo1-path={repository}\nrepo1-retention-full=2\nlog-level-file=off\nstart-fast=y\n"
        f"lock-path={site.folder}\nspool-path={site.folder}\n"
        f"[papers]\npg1-path={site.data}\npg1-socket-path={site.socket}\npg1-user=postgres\n"
    )
    pgbackrest = ["/usr/bin/pgbackrest", f"--config={config}", "--stanza=papers"]
    fill(
        site,
        archive_mode="on",
        archive_command=f"/usr/bin/pgbackrest --config={config} --stanza=papers archive-push %p",
    )
    site.run(*pgbackrest, "stanza-create")

    def backup():
        printed = site.run(*pgbackrest, "backup")
        assert printed == "WARN: no prior backup exists, incr backup has been changed to full\n"

    moment = deleted_after(site, backup)
    restored.data.mkdir(mode=0o700)
    restored.own(restored.data)
    site.run(
        *pgbackrest,
        f"--pg1-path={restored.data}",
        *["--type=time", f"--target={moment}", "--target-action=promote"],
        "restore",
    )
    assert_all_is_back(restored, site)


@BOTH
def test_barman(make, programs):
    site, restored = make(programs), make(programs)
    home, config = site.folder / "barman", site.folder / "barman.conf"
    incoming = home / "papers" / "incoming"
    for folder in (home, home / "papers", incoming):
        folder.mkdir()
        site.own(folder)
    config.write_text(
        f"[barman]\nbarman_home = {home}\nbarman_user = {pwd.getpwuid(site.server.uid).pw_name}\n"
        "[papers]\ndescription = papers\narchiver = on\nbackup_method = postgres\n"
        f"conninfo = host={site.socket} user=postgres dbname=app\n"
        f"streaming_conninfo = host={site.socket} user=postgres\n"
        f"path_prefix = {programs}\nimmediate_checkpoint = true\n"
    )

    def barman(*arguments):
        return site.run("/usr/bin/barman", "-c", config, *arguments)

    fill(site, archive_mode="on", archive_command=f"cp %p {incoming}/%f")
    barman("switch-wal", "--force", "--archive", "papers")

    def backup():
        assert "Backup completed (start time: " in barman("backup", "papers")

    moment = deleted_after(site, backup)
    barman("switch-wal", "--force", "--archive", "papers")
    at = ["--target-time", moment, "--target-action", "promote"]
    recovered = barman("recover", *at, "papers", "latest", restored.data)
    assert "Your PostgreSQL server has been successfully prepared for recovery!" in recovered
    assert_all_is_back(restored, site)


def test_pg_upgrade(make):
    """With and without checksums, which 18 has by default, and which both must have, or none."""
    site, new = make(DEBIAN), make(NEWEST)
    fill(site)
    connections[ALIAS].close()
    site.stop("fast")
    upgrade = [f"--old-bindir={DEBIAN}", f"--new-bindir={NEWEST}", "--username=postgres"]
    upgrade += [
        f"--old-datadir={site.data}",
        f"--new-datadir={new.data}",
        f"--socketdir={new.folder}",
    ]
    new.initialise()
    refusal = new.run("pg_upgrade", *upgrade, "--check", status=1)
    assert "old cluster does not use data checksums but the new one does" in refusal
    site.run("pg_checksums", "--enable", f"--pgdata={site.data}")
    assert "Upgrade Complete" in new.run("pg_upgrade", *upgrade)
    new.start()
    new.use("app")
    assert check(verify=True) == CLEAN
    assert new.stored() == FILES
    store("june", b"june")
    assert check(verify=True) == CLEAN


@BOTH
def test_a_new_database_compresses_by_lz4_where_the_server_has_it(make, programs):
    """As the embedded PostgreSQL sets it, which itself has none; Debian's has it."""
    cluster = make(programs)
    cluster.initialise()
    alone = ["--single", "-D", str(cluster.data), "template1"]
    cluster.server.run("postgres", *alone, stdin=embedded_postgres.SETUP_SQL)
    cluster.start()
    cluster.database = "app"
    with cluster.connect() as session:
        ((compression, choices),) = session.execute(
            "select setting, enumvals from pg_settings where name = 'default_toast_compression'"
        )
    assert compression == ("lz4" if "lz4" in choices else "pglz")
    assert "lz4" in choices or programs != DEBIAN
