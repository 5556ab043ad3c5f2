"""lo_storage in a new project, copied alone, works by the blocks of its README."""

import os
import re
import shlex
import shutil
import sys

import pytest

from .newcomer import ROOT, Browser, Project, environment, steps

README = (ROOT / "lo_storage" / "README.md").read_text()
MARCH = b"%PDF-1.7 march"

# What the page installs for the tests of the library
PACKAGES = shlex.split(re.search(r"^\$ pip install (.+)$", README, re.M)[1])
# Other versions than the one that is installed, and all of those tests: COPY_IN="5.0 5.2"
VERSIONS = ["installed", *os.environ.get("COPY_IN", "").split()]


@pytest.fixture(params=VERSIONS)
def python(request):
    """The interpreter of a virtual environment with a version of Django."""
    if request.param == "installed":
        return sys.executable
    return environment(
        request.config.cache.mkdir(f"django-{request.param}"),
        f"django=={request.param}.*",
        *PACKAGES,
    )


def files(project):
    """Return how many rows, catalogue rows and large objects there are."""
    (counts,) = project.ask(
        "select (select count(*) from papers_paper),"
        " (select count(*) from lo_storage_largeobject),"
        " (select count(*) from pg_largeobject_metadata)"
    )
    return counts


def test_the_blocks_of_the_readme(tmp_path, python):
    with Project(tmp_path, python) as project:
        project.all_tests = "COPY_IN" in os.environ and python == sys.executable
        (_, make), *others = steps(README)
        project.follow("console", make)
        project.copy_the_library()
        for place, text in others:
            project.follow(place, text)
        # The first of the two blocks of code left its file, the one that fails nothing.
        assert project.ask("select title from papers_paper") == [("March",)]
        assert files(project) == (1, 1, 1)

        with project.serving() as address:
            browser = Browser(address)
            (name,) = project.ask("select data from papers_paper")[0]
            refused = browser.look(f"/papers/{name}")
            assert refused.url == f"{address}/admin/login/?next=/papers/{name}"
            browser.submit("/admin/login/", username="alice", password="a-Secret-1")
            assert browser.look(f"/papers/{name}").content == b"march"

            added = browser.submit(
                "/admin/papers/paper/add/",
                files={"data": ("march rent.pdf", MARCH, "application/pdf")},
                title="March rent",
                _continue="",
            )
            link = re.search(r'<a href="(/papers/\d+\.pdf)">', added.text)
            whole = browser.look(link[1])
            assert (whole.status_code, whole.content) == (200, MARCH)
            assert whole.headers["Content-Type"] == "application/pdf"
            assert whole.headers["Content-Disposition"] == 'inline; filename="march rent.pdf"'
            part = browser.look(link[1], Range="bytes=9-11")
            assert (part.status_code, part.content) == (206, MARCH[9:12])
            assert part.headers["Content-Range"] == "bytes 9-11/14"
            assert browser.look("/papers/1.pdf").status_code == 404
            assert files(project) == (2, 2, 2)

        # Behind the application's back
        project.ask("update papers_paper set data = null returning 1")
        assert files(project) == (2, 0, 0)


# What the page says can be deleted, and what goes along.
DELETED = [
    ["accel.py"],
    ["admin", "templates"],
    ["panels.py"],
    ["querysets.py"],
    ["management"],
    ["tests"],
    ["checks"],
    ["uploads"],
    ["statistics", "management/commands/lo_stats.py", "admin", "templates"],
    ["transfer", "management"],
    ["upkeep", "checks", "management", "statistics", "transfer", "admin", "templates"],
]
EVERY_MODULE = """
from importlib import import_module
from pkgutil import walk_packages
import lo_storage

optional = ("panels", ".tests", "uploads.ninja", "uploads.rest_framework")
for module in walk_packages(lo_storage.__path__, "lo_storage."):
    if not any(name in module.name for name in optional):
        import_module(module.name)
"""
STORE_AND_SERVE = """
from django.core.files.base import ContentFile
from django.test import RequestFactory
from lo_storage.models import LargeObject
from lo_storage.views import db_serve
from papers.models import Paper

paper = Paper.objects.create(title="March", data=ContentFile(b"march", "march.pdf"))
assert b"".join(db_serve(RequestFactory().get("/"), paper.data.name)) == b"march"
paper.delete()
assert not LargeObject.objects.exists()
"""


def delete(library, names):
    for path in [library / name for name in names]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if "checks" in names:
        apps = (library / "apps.py").read_text()
        (library / "apps.py").write_text(re.sub(r" +from \. import checks .*\n", "", apps))


def test_what_can_be_deleted_is_not_missed(tmp_path):
    (paragraph,) = re.findall(r"^Nothing that stores or serves.*?\n\n", README, re.M | re.S)
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", paragraph)) - {"apps.py"}
    everything = {name for names in DELETED for name in names}
    assert {name.strip("/") for name in named} == everything
    with Project(tmp_path) as project:
        library = project.folder / "lo_storage"
        (_, make), *others = steps(README)
        project.follow("console", make)
        for place, text in others:
            if place.endswith(".py"):
                project.follow(place, text)
        for names in [*DELETED, everything]:
            shutil.rmtree(library, ignore_errors=True)
            project.copy_the_library()
            delete(library, names)
            project.manage("shell", "-c", EVERY_MODULE)
        assert not [name for name in everything if (library / name).exists()]
        project.manage("makemigrations", "papers")
        project.manage("migrate")
        project.manage("shell", "-c", STORE_AND_SERVE)


UPLOADS = (ROOT / "docs" / "uploads.md").read_text()


def section(title):
    (text,) = re.findall(rf"^## {title}\n(.*?)^## ", UPLOADS, re.M | re.S)
    return text


def test_a_form_keeps_its_files_by_the_page_about_uploads(tmp_path):
    with Project(tmp_path) as project:
        (_, make), *others = steps(README)
        project.follow("console", make)
        project.copy_the_library()
        for place, text in others:
            if place.endswith(".py"):
                project.follow(place, text)
        project.manage("makemigrations", "papers")
        for place, text in steps(section("Set it up")):
            project.follow(place, text)
        form = section("A form that keeps its files")
        for place, text in steps(form):
            project.follow(place, text)
        (template,) = re.findall(r"^```html\n(.*?)^```", form, re.M | re.S)
        folder = project.folder / "papers" / "templates" / "papers"
        folder.mkdir(parents=True)
        (folder / "add.html").write_text(template)
        ((place, text),) = steps(section("In the admin"))
        (project.folder / place).write_text(text)
        project.type("python manage.py createsuperuser")

        with project.serving() as address:
            browser = Browser(address)
            browser.submit("/admin/login/", username="alice", password="a-Secret-1")
            for page in ("/papers/add/", "/admin/papers/paper/add/"):
                file = ("march.pdf", MARCH, "application/pdf")
                refused = browser.submit(page, {"data": file}, title="x" * 101)
                (id,) = re.findall(r'name="data-staged" value="([^"]+)" checked', refused.text)
                assert files(project) == (0, 0, 1)
                saved = browser.submit(page, title="March", **{"data-staged": id})
                assert saved.status_code == 200
                assert files(project) == (1, 1, 1)
                (name,) = project.ask("delete from papers_paper returning data")[0]
                assert name.endswith(".pdf")
