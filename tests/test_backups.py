"""PostgreSQL's own programs: what they back up, restore and clean, with its files."""

import subprocess

import pytest
from django.core.files.base import ContentFile
from django.db import connections

from lo_storage.tests.models import Document

from .conftest import ALIAS

documents = Document.objects.using(ALIAS)


@pytest.fixture
def run(server):
    """A function that runs one of PostgreSQL's programs, by default as the site's role."""

    def run(program, *arguments, role="app"):
        command = [server.server.programs / program, f"--host={server.socket}"]
        command.append(f"--username={role}")
        subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)

    return run


@pytest.fixture
def stored(server):
    content = {"march": b"march" * 300_000, "april": b"april", "empty": b""}
    for title in content:
        documents.create(title=title, data=ContentFile(content[title], "a.tar.gz"))
    return content


@pytest.fixture
def restored(server):
    """An empty database for the alias to go to."""
    with server.connect("postgres") as session:
        session.execute("create database restored owner app")
        yield
        server.use("restored")
        documents.delete()
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("select count(*) from pg_largeobject_metadata")
            assert cursor.fetchone() == (0,)
        server.use("app")
        session.execute("drop database restored with (force)")


def versions(server):
    with server.connect() as session:
        return session.execute("select * from lo_storage_largeobject order by loid").fetchall()


@pytest.mark.parametrize("options", [[], ["--format=custom"], ["--format=directory"]])
def test_a_backup_is_restored_with_its_files(server, stored, run, restored, tmp_path, options):
    before = versions(server)
    run("pg_dump", *options, f"--file={tmp_path}/dump", "app")
    server.use("restored")
    if options:
        run("pg_restore", "--jobs=2", "--exit-on-error", "--dbname=restored", tmp_path / "dump")
    else:
        run("psql", "--set=ON_ERROR_STOP=1", f"--file={tmp_path}/dump", "restored")
    assert server.stored() == stored
    assert versions(server) == before
    # The triggers, too: when `restored` deletes the rows nothing is left.


@pytest.mark.parametrize(("options", "role"), [([], "app"), (["--disable-triggers"], "postgres")])
def test_a_backup_of_the_data_alone(server, stored, run, restored, tmp_path, options, role):
    before = versions(server)
    run("pg_dump", "--data-only", "--format=custom", f"--file={tmp_path}/dump", "app")
    server.use("restored")
    server.make_tables()
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("truncate django_migrations")
    run(
        "pg_restore",
        "--exit-on-error",
        *options,
        "--dbname=restored",
        tmp_path / "dump",
        role=role,
    )
    assert server.stored() == stored
    assert versions(server) == before


def test_vacuumlo_takes_nothing(server, stored, run):
    run("vacuumlo", "app")
    assert server.stored() == stored
