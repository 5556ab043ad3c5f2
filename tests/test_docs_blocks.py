"""Each code block on the pages is run; an excerpt is held to the file that it is from.

What stands before a block says what it is: "From [`a/file.py`]" an excerpt, "In the settings" lines
for the settings, "`letters/models.py`" the models of an app. All else runs, block after block, in
one namespace a page. What `print()` shows stands behind it: `print(1 + 1)  # 2`.

What is for Sphinx is run by the build of the site.
"""

import configparser
import gc
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, redirect_stdout
from copy import deepcopy
from io import StringIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from asgiref.sync import async_to_sync
from django.apps import apps
from django.conf import global_settings, settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from django.db.utils import ConnectionHandler
from django.template import Template
from django.test import AsyncRequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from lo_storage.models import LargeObject

from . import serving
from .pages import PAGES, ROOT, blocks, name
from .programs import postgres_environment

# These are followed step by step, in an empty folder.
FOLLOWED = {
    ROOT / "docs/deploy.md": "test_deploy.py",
    ROOT / "docs/in-and-out.md": "test_in_and_out.py",
    ROOT / "docs/tutorial.md": "test_docs_tutorial.py",
    ROOT / "docs/from-pg-lo-storage.md": "test_from_pg_lo_storage.py",
    ROOT / "docs/packages.md": "test_packages.py",
    ROOT / "lo_storage/README.md": "test_copy_in.py",
}
RUN_HERE = [page for page in PAGES if page not in FOLLOWED and blocks(page)]

MODELS = re.compile(r"(?:In )?`(\w+)/models\.py`")
OF_A_PROJECT = re.compile(r"`mysite/urls\.py`")
EXCERPT = re.compile(r"From \[`([\w/.]+)`\]\(")

# Where a command is run that would take too long here, or changes more than a test may.
RUN_ELSEWHERE = {
    "bin/demo": "tests/test_bin.py",
    "bin/test": ".ci/run",
    "bin/bench": "benchmarks/__main__.py",
    "bin/explore": "trials/explore/__main__.py",
    "bin/faults": "trials/faults/__main__.py",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory, django_db_setup, django_db_blocker):
    """The apps that the pages describe, and their tables."""
    folder = tmp_path_factory.mktemp("apps")
    labels = []
    for page in [ROOT / "lo_storage/README.md", *RUN_HERE]:
        for block in blocks(page):
            if block.kind == "python" and (found := MODELS.match(block.words)):
                labels.append(found[1])
                (folder / labels[-1]).mkdir()
                (folder / labels[-1] / "__init__.py").touch()
                (folder / labels[-1] / "models.py").write_text(block.content)
    assert labels == ["papers", "letters"]
    sys.path.insert(0, str(folder))
    installed = override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, *labels])
    with installed, django_db_blocker.unblock():
        made = [model for label in labels for model in apps.get_app_config(label).get_models()]
        with connection.schema_editor() as editor:
            for model in made:
                editor.create_model(model)
        yield {label: importlib.import_module(f"{label}.models") for label in labels}
        with connection.schema_editor() as editor:
            for model in made:
                editor.delete_model(model)
    sys.path.remove(str(folder))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with what the pages find there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "march.pdf").write_bytes(b"%PDF-1.7 March")
    registered = {**admin.site._registry}
    yield tmp_path
    for model in admin.site._registry.keys() - registered:
        admin.site.unregister(model)


@pytest.fixture
def letters(models, folder, settings):
    """A function that makes two letters, whose scans are in a storage of Django's."""

    def make(storage):
        backend = {"BACKEND": f"django.core.files.storage.{storage}"}
        settings.STORAGES = {**settings.STORAGES, "default": backend}
        owner = get_user_model().objects.create_user("alice")
        for number, file in enumerate(["a letter.pdf", "another letter.pdf"], 1):
            letter = models["letters"].Letter(pk=number, owner=owner)
            letter.scan.save(file, ContentFile(file.encode()))

    settings.MEDIA_ROOT = folder / "media"
    return make


@pytest.mark.parametrize("path", RUN_HERE, ids=name)
def test_the_blocks_of(path, models, folder, letters, transactional_db, settings):
    # The reader's project, unlike this site, takes files in each view.
    settings.FILE_UPLOAD_HANDLERS = global_settings.FILE_UPLOAD_HANDLERS
    if path.name == "moving.md":
        letters("FileSystemStorage")
    run_blocks(path)


def test_letters_move_from_a_storage_that_is_no_disk(letters, transactional_db):
    letters("InMemoryStorage")
    run_blocks(ROOT / "docs/moving.md")


def test_the_async_view_of_the_page_serves(models, transactional_db):
    (view,) = [block for block in blocks(ROOT / "docs/serving.md") if "adb_serve" in block.content]
    namespace = {}
    exec(view.content, namespace)
    paper = models["papers"].Paper.objects.create(data=ContentFile(b"march", "march.pdf"))
    client = AsyncRequestFactory()

    async def get(user):
        async def auser():
            return user

        request = client.get("/")
        request.auser = auser
        response = await namespace["serve"](request, paper.data.name)
        if not response.streaming:
            return response.status_code
        return b"".join([piece async for piece in response])

    assert async_to_sync(get)(AnonymousUser()) == 302
    assert async_to_sync(get)(get_user_model()(username="alice")) == b"march"


@pytest.fixture
def moving(letters):
    """What docs/moving.md defines, copy_in() and differing(), and two letters on a disk."""
    letters("FileSystemStorage")
    namespace = {}
    for block in blocks(ROOT / "docs/moving.md"):
        if "def copy_in" in block.content or "def differing" in block.content:
            exec(block.content, namespace)
    return namespace


def moved(letter):
    """What each letter has in the new column."""
    contents = []
    for row in letter.order_by("pk"):
        with row.data.open() if row.data else nullcontext() as file:
            contents.append(file and file.read())
    return contents


def test_an_upload_while_letters_are_moved_is_kept(transactional_db, moving, models):
    letter = models["letters"].Letter.objects
    # The first scan comes as slowly as the other end of a pipe gives it.
    scan = letter.get(pk=1).scan.path
    os.remove(scan)
    os.mkfifo(scan)

    def upload():
        with closing(connection), open(scan, "wb") as pipe:
            second = letter.get(pk=2)
            second.data = ContentFile(b"uploaded", "a.pdf")
            second.save()
            with pytest.raises(OperationalError, match="not obtain lock"), transaction.atomic():
                letter.select_for_update(nowait=True).get(pk=1)  # An upload would wait.
            pipe.write(b"slow")

    with ThreadPoolExecutor() as pool:
        uploaded = pool.submit(upload)
        try:
            assert moving["copy_in"]() == []
        finally:
            os.close(os.open(scan, os.O_RDONLY | os.O_NONBLOCK))  # If nothing has read it
        uploaded.result()
    assert moved(letter) == [b"slow", b"uploaded"]
    os.remove(scan)
    assert sorted(moving["differing"]()) == [1, 2]  # The pipe is gone; the upload is no scan.


def test_a_letter_that_is_saved_as_it_was_before_is_moved_again(transactional_db, moving, models):
    letter = models["letters"].Letter.objects
    before = letter.get(pk=1)
    assert moving["copy_in"]() == []
    before.save()
    assert moved(letter) == [None, b"another letter.pdf"]
    assert (LargeObject.objects.count(), list(moving["differing"]())) == (1, [1])
    assert moving["copy_in"]() == []
    assert moved(letter) == [b"a letter.pdf", b"another letter.pdf"]


def test_a_scan_that_is_missing_is_told_and_stops_nothing(transactional_db, moving, models):
    letter = models["letters"].Letter.objects
    os.remove(letter.get(pk=1).scan.path)
    assert moving["copy_in"]() == [1]
    assert moved(letter) == [None, b"another letter.pdf"]
    assert moving["copy_in"]() == [1]
    assert list(moving["differing"]()) == [1]


def test_many_are_deleted_in_batches_as_the_page_says(models, transactional_db):
    with connection.cursor() as cursor:
        cursor.execute(
            "with object as materialized ("
            "  select lo_create(0) as loid from generate_series(1, 2500)"
            "), made as ("
            "  insert into lo_storage_largeobject"
            "         (loid, name, original_name, size, version, created_at, modified_at)"
            "  select loid, loid || '.txt', '', 0, 1, now(), now() from object returning name"
            ")"
            "insert into papers_paper (title, data) select 'old', name from made"
        )
    kept = models["papers"].Paper.objects.create(title="new", data=ContentFile(b"new", "a.txt"))
    with CaptureQueriesContext(connection) as queries:
        run_blocks(ROOT / "docs/running.md")
    deleted = [query["sql"] for query in queries if query["sql"].startswith("DELETE")]
    committed = [query["sql"] for query in queries if query["sql"] == "COMMIT"]
    assert (len(deleted), len(committed)) == (4, 4)  # The last finds none.
    assert models["papers"].Paper.objects.get() == kept
    assert LargeObject.objects.get().name == kept.data.name


def run_blocks(page):
    namespace = {"__name__": "papers.page", "__package__": "papers"}
    for block in blocks(page):
        run = {
            "python": python,
            "console": console,
            "sql": sql,
            "toml": lambda page, block, namespace: tomllib.loads(block.content),
            "sh": shell,
            "html": lambda page, block, namespace: Template(block.content),
            "nginx": lambda page, block, namespace: None,  # run by test_handing_over.py
            "yaml": alerts,
            "ini": lambda page, block, namespace: ini(block.content),
            "text": lambda page, block, namespace: None,  # a drawing, or a tree of files
        }.get(block.kind)
        if run:
            run(page, block, namespace)
        else:  # Sphinx runs its own
            assert block.kind.startswith("{"), f"{page}:{block.line}: who runs {block.kind!r}?"
            assert page.parent == ROOT / "docs"
    namespace.clear()
    gc.collect()  # A file that the page leaves open is this page's fault.


def python(page, block, namespace):
    if excerpt := EXCERPT.search(block.words):
        assert block.content in (ROOT / excerpt[1]).read_text()
    elif MODELS.match(block.words):
        return  # the fixture `models` ran it
    elif OF_A_PROJECT.search(block.words):
        return  # test_moving.py has one
    elif re.search("[Ii]n the settings", block.words):
        check_settings(compiled(page, block))
    else:
        expected = re.findall(r"print\(.*\)  # (.*)", block.content)
        with redirect_stdout(StringIO()) as printed:
            exec(compiled(page, block), namespace)
        assert printed.getvalue().splitlines() == expected
        run_test_cases(namespace)


def compiled(page, block):
    return compile("\n" * block.line + block.content, page, "exec")


def check_settings(code):
    """Run lines beside the project's settings, and find each name that they set."""
    before = {name: deepcopy(getattr(settings, name)) for name in ["INSTALLED_APPS", "DATABASES"]}
    namespace = dict(before)
    exec(code, namespace)
    known = {*dir(global_settings), "PG_LO_STORAGE_DB_FOR_READ", "PG_LO_STORAGE_DB_FOR_WRITE"}
    known |= {"PG_LO_STORAGE_NAMED_BY", "PG_LO_STORAGE_PREPARE_THRESHOLD", "LO_STORAGE_UPLOADS"}
    known |= {"DEBUG_TOOLBAR_PANELS", "PANELS_DEFAULTS"}
    assert {name for name in namespace if name.isupper()} <= known
    for database in namespace["DATABASES"].values():
        assert database["ENGINE"] == "django.db.backends.postgresql"
        here = {key: settings.DATABASES["default"][key] for key in ("HOST", "NAME")}
        with connected(database | here) as session, session.cursor() as cursor:
            cursor.execute("select 1")
            assert cursor.fetchone() == (1,)


def test_what_is_set_of_a_connection_leaves_the_rest_and_works(transactional_db):
    page = ROOT / "docs/replicas.md"
    default = connection.settings_dict | {"OPTIONS": {"application_name": "papers"}}
    for block in blocks(page):
        if block.kind == "python":
            exec(compiled(page, block), {"DATABASES": {"default": default}})
    assert default["OPTIONS"] == {"application_name": "papers", "pool": True}
    with connected(default) as session, session.cursor() as cursor:
        cursor.execute("select 1")
        assert session.pool.get_stats()["pool_size"] == 4

    assert "CONN_MAX_AGE: 60\n" in (ROOT / "docker-compose.yml").read_text()
    refused = pytest.raises(ImproperlyConfigured, match="persistent connections")
    with refused, connected(default | {"CONN_MAX_AGE": 60}):
        pass


def test_test_cases_with_a_replica_as_the_page_says(models, settings, django_db_blocker):
    page = ROOT / "docs/testing.md"
    (block,) = [block for block in blocks(page) if "class PaperTests" in block.content]
    exec(compiled(page, block), namespace := {})

    class WithBoth(namespace["PaperTests"]):
        databases = {"default", "replica"}

    test = connections.databases["default"]["TEST"] | {"MIRROR": "default"}
    connections.databases["replica"] = connections.databases["default"] | {"TEST": test}
    settings.PG_LO_STORAGE_DB_FOR_READ = "replica"
    try:
        # Outside of a test case of pytest-django's, which would refuse the replica, too.
        with django_db_blocker.unblock():
            (refused,) = failures(namespace["PaperTests"])
            assert "to 'replica' are not allowed in this test" in refused
            assert failures(WithBoth) == []
            settings.PG_LO_STORAGE_DB_FOR_READ = "default"
            assert failures(namespace["PaperTests"]) == []
    finally:
        connections["replica"].close()
        del connections["replica"], connections.databases["replica"]


def failures(case):
    """What a test case says of the tests that did not succeed."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    result = unittest.TextTestRunner(stream=StringIO()).run(tests)
    assert result.testsRun == 2
    return [text for _, text in result.errors + result.failures]


@contextmanager
def connected(database):
    session = ConnectionHandler({"default": database})["default"]
    session.ensure_connection()
    try:
        yield session
    finally:
        session.close()
        session.close_pool()


def run_test_cases(namespace):
    """Run the test cases and the tests of pytest that a block has defined, each once."""
    cases = [
        namespace.pop(name)
        for name, case in list(namespace.items())
        if isinstance(case, type)
        and issubclass(case, unittest.TestCase)
        and case.__module__ == namespace["__name__"]
    ]
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    tests = [load(case) for case in cases]
    assert all(suite.countTestCases() for suite in tests)
    result = unittest.TextTestRunner(stream=StringIO()).run(unittest.TestSuite(tests))
    assert (result.errors, result.failures, result.skipped) == ([], [], [])
    for test in [key for key in namespace if key.startswith("test_")]:
        namespace.pop(test)(None)  # which the test of the page has: `transactional_db`


def sql(page, block, namespace):
    """Run a statement, which shows a row or changes one."""
    with connection.cursor() as cursor:
        cursor.execute(block.content)
        assert cursor.rowcount == 1
        if cursor.description:
            loid, original_name, size = cursor.fetchone()
            assert (original_name, size) == ("a_letter.pdf", 12)
            cursor.execute("select lo_get(%s)", [loid])
            assert bytes(cursor.fetchone()[0]) == b"a letter.pdf"


def ini(content):
    parser = configparser.ConfigParser()
    parser.read_string(content)
    # As tests/test_streaming.py has it, with a real one.
    assert parser["pgbouncer"]["pool_mode"] == "transaction"


def console(page, block, namespace):
    commands = re.findall(r"^\$ (.+)$", block.content, re.M)
    assert block.content == "".join(f"$ {command}\n" for command in commands)
    for command in commands:
        program, *arguments = shlex.split(command, comments=True)
        if page.name == "backups.md":
            continue  # run below, in one shell
        if page.name == "moving.md":
            continue  # run by test_moving.py, in a project
        if page.name == "checking.md":
            continue  # run by tests/test_checking.py, where something is wrong
        if page.name == "restoring.md":
            continue  # run by tests/test_restoring.py, with a backup
        if page.name == "backup-programs.md":
            text = (ROOT / "tests/test_backup_programs.py").read_text()
            words = [program, *(word.partition("=")[0] for word in arguments if word[:2] == "--")]
            assert [word for word in words if word not in text] == []
            continue
        if program in RUN_ELSEWHERE:
            text = (ROOT / RUN_ELSEWHERE[program]).read_text()
            assert all(option in text for option in arguments if option.startswith("--"))
            assert os.access(ROOT / program, os.X_OK)
            if program == "bin/bench":
                assert_works_are_there(arguments)
        else:
            assert program.endswith("python")
            assert arguments[0] == "manage.py", f"{page}:{block.line}: who runs {command!r}?"
            call_command(*arguments[1:], stdout=StringIO(), stderr=StringIO())


def shell(page, block, namespace):
    """As the user of the site, in its folder; what the page writes is one file after the other."""
    with TemporaryDirectory() as folder:
        script = re.sub("^folder=.*", f"folder={folder}", block.content, flags=re.M)
        script = script.replace("cd /srv/site\n", "").replace(
            "python manage", f"{sys.executable} manage"
        )
        environment = {
            **os.environ,
            **serving.database(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        subprocess.run(["bash", "-euc", script], cwd=ROOT, env=environment, check=True)
        files = {path.name: path.read_text() for path in Path(folder).iterdir()}
    assert sorted(files) == ["lo_check.prom", "lo_stats.prom"]
    assert re.fullmatch(r"lo_check_exit_status [012]\n", files["lo_check.prom"])
    namespace["metrics"] = {*re.findall(r"^lo_\w+", "".join(files.values()), re.M)}
    of_page = re.findall(r"`(lo_(?:storage|check)_\w+)`", page.read_text())
    assert namespace["metrics"] - {"lo_check_exit_status"} <= set(of_page)


def alerts(page, block, namespace):
    """Each metric of ours that a rule asks for is one that was written."""
    (group,) = yaml.safe_load(block.content)["groups"]
    asked = {name for rule in group["rules"] for name in re.findall(r"\blo_\w+", rule["expr"])}
    assert len(asked) > 4
    assert asked - namespace["metrics"] == set()


def assert_works_are_there(arguments):
    """Each word that is no option is in the key of a work, in the code and in the outcome."""
    values = {
        value
        for option, value in pairwise(arguments)
        if option in {"--among", "--into", "--repeat", "--server"}
    }
    keys = [work["key"] for work in json.loads((ROOT / "docs/benchmark.json").read_text())["works"]]
    works = "".join(path.read_text() for path in (ROOT / "benchmarks").glob("*.py"))
    for word in {word for word in arguments if not word.startswith("--")} - values:
        assert any(word in key for key in keys)
        assert re.search(rf'"[a-z-]*{word}[a-z-]*"', works)


@pytest.mark.parametrize("path", FOLLOWED, ids=name)
def test_the_steps_are_followed_of(path):
    assert path.name in (ROOT / "tests" / FOLLOWED[path]).read_text()


# What a restore may have lost, by the suffix of the file; the last two are whole.
DAMAGE = """
    select lo_unlink(loid) from lo_storage_largeobject where name like '%.gone';
    select lo_put(loid, size, 'x') from lo_storage_largeobject where name like '%.longer';
    update lo_storage_largeobject set size = size + 1 where name like '%.shorter';
    select lo_put(loid, 1 << 30, 'x') from lo_storage_largeobject where name like '%.large';
    update lo_storage_largeobject set size = (1 << 30) + 1 where name like '%.large';
"""
CONTENTS = """
    select original_name, convert_from(lo_get(loid), 'UTF8')
      from papers_paper join lo_storage_largeobject on name = data order by original_name
"""


def test_a_backup_as_the_page_says(folder, models, transactional_db):
    """On databases of those names, with the tables of the tests and some papers."""
    commands = [
        command
        for block in blocks(ROOT / "docs/backups.md")
        if block.kind == "console"
        for command in re.findall(r"^\$ (.+)$", block.content, re.M)
    ]
    dump, create, restore, look, dump_tables, restore_tables = commands
    contents = f"psql --tuples-only --no-align --command {shlex.quote(CONTENTS)}"
    environment = postgres_environment() | {"origin": connection.settings_dict["NAME"]}

    def run(script):
        connection.close()  # A database can be copied when nobody uses it.
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    names = "papers papers_restored papers_moved"
    drop = f"for name in {names}; do dropdb --if-exists $name 2> /dev/null; done"
    run(f"{drop}; createdb --template=$origin papers_moved")
    for suffix in ["gone", "longer", "shorter", "large"]:
        file = ContentFile(suffix.encode(), f"a.{suffix}")
        models["papers"].Paper.objects.create(title=suffix, data=file)
    models["papers"].Paper.objects.create(title="empty", data=ContentFile(b"", "a.empty"))
    restored, looked, damaged, moved, lists = run(f"""
        trap '{drop}' EXIT
        createdb --template=$origin papers
        {dump}; {create}; {restore}
        {contents} papers_restored; echo ==
        {look}; echo ==
        psql papers_restored --quiet --output=/dev/null --command {shlex.quote(DAMAGE)}
        {look}; echo ==
        {dump_tables}; {restore_tables}
        {contents} papers_moved; echo ==
        dump() {{ pg_dump --format=custom --file=$1.dump "${{@:2}}" papers; }}
        dump without --table='papers_*'
        dump schema --schema=public
        dump T --exclude-table='auth_*'
        dump only --schema-only
        dump B -B
        for dump in papers tables without schema T only B; do
            pg_restore --list $dump.dump > list
            echo $dump: $(grep -c BLOBS list) $(grep -c "FUNCTION.*lo_storage_[a-z_]*_v[0-9]" list)
        done
    """).split("==\n")
    whole = "a.empty|\na.gone|gone\na.large|large\na.longer|longer\na.shorter|shorter\n"
    assert (restored, moved) == (whole, whole)
    assert "(0 rows)" in looked
    assert sorted(re.findall(r"\d+\.(\w+) +\| +\d", damaged)) == ["gone", "longer", "shorter"]
    assert lists.splitlines() == [
        *["papers: 1 9", "tables: 1 0", "without: 0 0", "schema: 0 9"],
        *["T: 1 9", "only: 0 9", "B: 0 9"],
    ]
