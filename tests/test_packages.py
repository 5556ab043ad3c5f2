"""Beside other packages, the real ones, each in a project of its own that is made by the README."""

import django
import pytest

from .newcomer import ROOT, Project, environment, steps
from .pages import blocks

README = (ROOT / "lo_storage" / "README.md").read_text()


@pytest.fixture
def project(tmp_path, request):
    """A project by the README, up to its models, on an interpreter that has the packages, too."""
    packages = request.param
    folder = request.config.cache.mkdir("-".join(["with", *packages]))
    python = environment(folder, f"django=={django.get_version()}", "psycopg[binary]", *packages)
    with Project(tmp_path, python) as project:
        (_, make), *others = steps(README)
        project.follow("console", make)
        project.copy_the_library()
        for place, text in others:
            if place in ("mysite/settings.py", "papers/models.py", "papers/views.py"):
                project.follow(place, text)
        yield project


def append(project, place, text):
    path = project.folder / place
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(text)


TENANTS = """
INSTALLED_APPS = ["django_tenants", "customers", *INSTALLED_APPS]
SHARED_APPS = ["django_tenants", "customers", "django.contrib.contenttypes"]
TENANT_APPS = ["django.contrib.contenttypes", "lo_storage", "papers"]
TENANT_MODEL, TENANT_DOMAIN_MODEL = "customers.Customer", "customers.Domain"
DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
"""
CUSTOMERS = """
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Customer(TenantMixin):
    auto_create_schema = True


class Domain(DomainMixin):
    pass
"""
EACH_TENANT_HAS_ITS_FILES = """
from customers.models import Customer
from django.core.files.base import ContentFile
from django.db import connection
from django.http import Http404
from django.test import RequestFactory
from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage
from lo_storage.views import db_serve
from papers.models import Paper

names = {}
for schema in ("a", "b"):
    connection.set_schema_to_public()
    Customer.objects.create(schema_name=schema)
    connection.set_schema(schema)
    # The first query of this tenant is the library's own.
    names[schema] = db_file_storage.save(f"{schema}.txt", ContentFile(schema.encode()))
    Paper.objects.create(title=schema, data=names[schema])
for schema, other in ("ab", "ba"):
    connection.set_schema(schema)
    served = db_serve(RequestFactory().get("/"), names[schema])
    assert b"".join(served) == schema.encode()
    connection.set_schema(other)
    try:
        db_serve(RequestFactory().get("/"), names[schema])
    except Http404:
        print("not found")
connection.set_schema("a")
Paper.objects.update(data=None)
print(LargeObject.objects.count())
connection.set_schema("b")
print([entry.name == names["b"] for entry in LargeObject.objects.all()])
"""


@pytest.mark.parametrize("project", [["django-tenants"]], indirect=True)
def test_django_tenants(project):
    append(project, "mysite/settings.py", TENANTS)
    append(project, "customers/__init__.py", "")
    append(project, "customers/models.py", CUSTOMERS)
    # Of the public schema the router says that no file is kept there: a warning, and no error.
    assert "lo_storage.W008" in project.manage("check")
    project.manage("makemigrations", "customers", "papers")
    project.manage("migrate_schemas", "--shared")
    printed = project.manage("shell", "-c", EACH_TENANT_HAS_ITS_FILES)
    assert printed.splitlines()[-4:] == ["not found", "not found", "0", "[True]"]


CLEANUP = """
from django.core.files.base import ContentFile
from lo_storage.models import LargeObject
from papers.models import Paper, Sheet

for model in (Paper, Sheet):
    row = model.objects.create(data=ContentFile(b"march", "march.txt"))
    row.data = ContentFile(b"april", "april.txt")
    row.save()
    print([entry.original_name for entry in LargeObject.objects.all()])
    row.delete()
    print(LargeObject.objects.count())
"""
SHEET = """

class Sheet(models.Model):
    data = DbFileField()  # without a reference: what remains is the package's to delete
"""


@pytest.mark.parametrize("project", [["django-cleanup"]], indirect=True)
def test_django_cleanup(project):
    append(project, "mysite/settings.py", '\nINSTALLED_APPS += ["django_cleanup"]\n')
    append(project, "papers/models.py", SHEET)
    project.manage("makemigrations", "papers")
    project.manage("migrate")
    printed = project.manage("shell", "-c", CLEANUP)
    assert printed.splitlines()[-4:] == 2 * ["['april.txt']", "0"]


HISTORY = """
from django.core.files.base import ContentFile
from lo_storage.models import LargeObject
from papers.models import Paper

paper = Paper.objects.create(title="March", data=ContentFile(b"march", "march.txt"))
first = paper.data.name
paper.data = ContentFile(b"april", "april.txt")
paper.save()
print(LargeObject.objects.count())
with paper.history.last().instance.data as file:
    print(file.read())
paper.data = first
paper.save()
paper.delete()
print(LargeObject.objects.count())
Paper.history.all().delete()
print(LargeObject.objects.count())
"""


@pytest.mark.parametrize("project", [["django-simple-history"]], indirect=True)
def test_django_simple_history(project):
    """A history whose column has a reference keeps what was replaced, as the page has it."""
    append(project, "mysite/settings.py", '\nINSTALLED_APPS += ["simple_history"]\n')
    models = project.folder / "papers" / "models.py"
    text = models.read_text()
    models.write_text(
        "from simple_history.models import HistoricalRecords\n"
        + text.replace("    class Meta:", "    history = HistoricalRecords()\n\n    class Meta:")
    )
    project.manage("makemigrations", "papers")
    (migration,) = (
        block.content
        for block in blocks(ROOT / "docs/packages.md")
        if "historical" in block.content
    )
    append(project, "papers/migrations/0002_files_of_the_history.py", migration)
    assert "No changes detected" in project.manage("makemigrations", "--dry-run")
    project.manage("migrate")
    printed = project.manage("shell", "-c", HISTORY)
    assert printed.splitlines()[-4:] == ["2", "b'march'", "2", "0"]
