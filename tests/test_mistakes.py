"""A newcomer's mistakes, made for real, and what `manage.py check` says of them."""

import re

import pytest

from .newcomer import ROOT, Project, environment, steps

OTHER_MODEL = """
from django.db import models
from lo_storage.storage import DbFileStorage


class Paper(models.Model):
    title = models.CharField(max_length=100)
    data = models.FileField(storage=DbFileStorage(), max_length=20)
    scan = models.FileField(storage=DbFileStorage("/scans", alias="files"))
"""
KEEP_OUT = """
class KeepOut:
    def allow_migrate(self, db, app_label, **hints):
        return app_label != "lo_storage"

DATABASE_ROUTERS = [KeepOut()]
"""


@pytest.fixture(scope="module")
def steps_taken(tmp_path_factory):
    """A project in which the files are as the README has them."""
    project = Project(tmp_path_factory.mktemp("mistakes"))
    (_, make), *others = steps((ROOT / "lo_storage" / "README.md").read_text())
    project.follow("console", make)
    project.copy_the_library()
    for place, text in others:
        if place.endswith(".py"):
            project.follow(place, text)
    return project


@pytest.fixture
def project(steps_taken):
    files = [steps_taken.folder / name for name in ("mysite/settings.py", "papers/models.py")]
    right = [path.read_text() for path in files]
    yield steps_taken
    for path, text in zip(files, right, strict=True):
        path.write_text(text)


def change(project, path, old, new):
    text = (project.folder / path).read_text()
    assert old in text
    (project.folder / path).write_text(text.replace(old, new))


def check(project, command="check"):
    """Return the ids of what a command that checks first has to say, and the whole of it."""
    printed = project.manage(command, fails=None)
    assert "Traceback" not in printed
    return sorted(set(re.findall(r"\((lo_storage\.\w+)\)", printed))), printed


@pytest.mark.parametrize("command", ["check", "makemigrations"])
def test_the_app_is_not_installed(project, command):
    change(project, "mysite/settings.py", '["lo_storage", "papers"]', '["papers"]')
    ids, printed = check(project, command)
    assert ids == ["lo_storage.E001"]
    assert "HINT: Add 'lo_storage' to INSTALLED_APPS and run 'manage.py migrate'." in printed


def test_another_engine(project):
    change(project, "mysite/settings.py", "backends.postgresql", "backends.sqlite3")
    ids, printed = check(project)
    assert ids == ["lo_storage.E003"]
    assert "Set its ENGINE to 'django.db.backends.postgresql'" in printed


def test_a_storage_that_storages_does_not_have(project):
    change(project, "papers/models.py", 'DbFileStorage("/papers")', 'lambda: storages["papers"]')
    models = "from django.db import models"
    storages = "from django.core.files.storage import storages"
    change(project, "papers/models.py", models, f"{storages}\n{models}")
    *_, sentence = project.manage("check", fails=True).splitlines()
    assert sentence == (
        "django.core.files.storage.handler.InvalidStorageError: "
        "Could not find config for 'papers' in settings.STORAGES."
    )


def test_psycopg_2(project, request):
    directory = request.config.cache.mkdir("psycopg2")
    with_psycopg_2 = Project(
        project.folder, environment(directory, "django==5.2.*", "psycopg2-binary")
    )
    *_, sentence = with_psycopg_2.manage("check", fails=True).splitlines()
    assert sentence == (
        "django.core.exceptions.ImproperlyConfigured: lo_storage.E003: psycopg 3 is needed"
        " (No module named 'psycopg'); run: pip install 'psycopg[binary]'"
    )


def test_many_at_once(project):
    (project.folder / "papers/models.py").write_text(OTHER_MODEL)
    change(project, "mysite/settings.py", '"NAME": "new', '"ATOMIC_REQUESTS": True, "NAME": "new')
    with (project.folder / "mysite/settings.py").open("a") as file:
        file.write(KEEP_OUT)
    ids, printed = check(project)
    numbers = ["E002", "W002", "W003", "W004", "W005", "W007", "W008"]
    assert ids == [f"lo_storage.{number}" for number in numbers]
    assert "papers.Paper.scan names the database 'files'" in printed


def test_a_reference_on_a_field_that_cannot_keep_it(project):
    change(project, "papers/models.py", ", null=True, blank=True", ", blank=True")
    assert check(project)[0] == ["lo_storage.E005"]
    change(project, "papers/models.py", "= DbFileField(", "= models.FileField(")
    assert check(project)[0] == ["lo_storage.E004"]
