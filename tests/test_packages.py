"""Beside other packages, the real ones, each in a project of its own that is made by the README.

What the page says of a package is followed there. .ci/run has a leg for it, and bin/test leaves it
out: it takes minutes, and whatever is newest of each package.
"""

import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import django
import pytest

from config.embedded_postgres import find_programs
from lo_storage.tests.uploads.daemons import EICAR

from .newcomer import ROOT, Project, environment, steps
from .programs import free_port, started

README = (ROOT / "lo_storage" / "README.md").read_text()
FOLLOWED = {"mysite/settings.py", "mysite/urls.py", "papers/models.py", "papers/views.py"}
PAGE = (ROOT / "docs" / "packages.md").read_text()
UPLOADS = (ROOT / "docs" / "uploads.md").read_text()

# Each section of the page, and what is to be installed for it.
PACKAGES = {
    "django-tenants": "django-tenants",
    "django-cleanup": "django-cleanup",
    "django-simple-history": "django-simple-history",
    "django-reversion": "django-reversion",
    "django-constance": "django-constance",
    "django-import-export": "django-import-export",
    "django-dbbackup": "django-dbbackup",
    "easy-thumbnails": "easy-thumbnails",
    "sorl-thumbnail": "sorl-thumbnail",
    "django-imagekit": "django-imagekit",
    "django-filer": "django-filer",
    "Wagtail": "wagtail",
    "Django REST framework": "djangorestframework",
    "django-ninja": "django-ninja",
    "factory_boy": "factory_boy",
    "model_bakery": "model_bakery",
}

# What docs/in-and-out.md moves files from and to, and what says that a bag is one.
FOR_MOVING = [
    *("bagit", "django-binary-database-files", "django-dbfiles", "django-storages[s3]"),
    "moto[server]",
]


@pytest.fixture(scope="session")
def python(request):
    """An interpreter that has them all: to make one takes longer than a test."""
    folder = request.config.cache.mkdir("with-packages")
    packages = [f"django=={django.get_version()}", "psycopg[binary]", "pillow", *PACKAGES.values()]
    return environment(folder, *packages)


def begin(project):
    """Follow the README up to the models and the view."""
    (_, make), *others = steps(README)
    project.follow("console", make)
    project.copy_the_library()
    for place, text in others:
        if place in FOLLOWED:
            project.follow(place, text)


@pytest.fixture
def project(tmp_path, python):
    """A project by the README, up to its models and the view."""
    with Project(tmp_path, python) as project:
        begin(project)
        yield project


def blocks(title):
    """The (place, text) of each block in a section of the page."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M)
    return list(steps(text))


def follow(project, title):
    """Do what the page says of a package."""
    for place, text in blocks(title):
        project.follow(place, text)


def migrate(project):
    project.manage("makemigrations", "papers")
    project.manage("migrate")


def run(project, script):
    """Return the lines that a script prints."""
    return project.manage("shell", "--verbosity=0", "-c", script).splitlines()


def test_each_section_of_the_page_has_a_test():
    assert re.findall(r"^## (.+)$", PAGE, re.M) == list(PACKAGES)
    for package in PACKAGES.values():
        assert f"test_{package.replace('-', '_')}" in globals()


def append(project, place, text):
    path = project.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
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
    ((_, migration),) = blocks("django-simple-history")
    append(project, "papers/migrations/0002_files_of_the_history.py", migration)
    assert "No changes detected" in project.manage("makemigrations", "--dry-run")
    project.manage("migrate")
    printed = project.manage("shell", "-c", HISTORY)
    assert printed.splitlines()[-4:] == ["2", "b'march'", "2", "0"]


REVERSION = """
import reversion
from django.core.files.base import ContentFile
from django.db import IntegrityError
from lo_storage.models import LargeObject
from papers.models import Paper
from reversion.models import Revision, Version

reversion.register(Paper)


def names():
    return sorted(entry.original_name for entry in LargeObject.objects.all())


with reversion.create_revision():
    paper = Paper.objects.create(title="March", data=ContentFile(b"march", "march.txt"))
with reversion.create_revision():
    paper.data = ContentFile(b"april", "april.txt")
    paper.save()
with reversion.create_revision():
    Paper.objects.create(title="May")
print(names())
first = Version.objects.get_for_object(paper).last()
try:
    first.revision.revert()
    with Paper.objects.get(pk=paper.pk).data.open() as file:
        print(file.read())
except IntegrityError:
    print("IntegrityError")
Paper.objects.all().delete()
print(names())
Revision.objects.all().delete()
print(names())
"""


def test_django_reversion(project):
    append(project, "mysite/settings.py", '\nINSTALLED_APPS += ["reversion"]\n')
    migrate(project)
    assert run(project, REVERSION) == ["['april.txt']", "IntegrityError", "[]", "[]"]
    follow(project, "django-reversion")
    migrate(project)
    both = "['april.txt', 'march.txt']"
    assert run(project, REVERSION) == [both, "b'march'", both, "[]"]


IN_THE_DATABASE = """
STORAGES = {
    "default": {"BACKEND": "lo_storage.storage.DbFileStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_ROOT, MEDIA_URL = BASE_DIR / "media", "/media/"
"""
CONSTANCE_SETTINGS = """
INSTALLED_APPS += ["constance"]
CONSTANCE_BACKEND = "constance.backends.database.DatabaseBackend"
CONSTANCE_ADDITIONAL_FIELDS = {"file": ["django.forms.FileField", {"required": False}]}
CONSTANCE_CONFIG = {"LOGO": ("", "The logo", "file")}
"""
CONSTANCE = """
from constance import config
from constance.forms import ConstanceForm
from constance.utils import get_values
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from lo_storage.models import LargeObject


def names():
    return sorted(entry.original_name for entry in LargeObject.objects.all())


for name in ("old.png", "new.png"):
    initial = get_values()
    version = ConstanceForm(initial=initial).initial["version"]
    file = SimpleUploadedFile(name, name.encode())
    form = ConstanceForm(data={"version": version}, files={"LOGO": file}, initial=initial)
    assert form.is_valid(), form.errors
    form.save()
print(names())
call_command("lo_clean", hours=0, delete=True, verbosity=0)
print(names())
with default_storage.open(config.LOGO) as file:
    print(file.read())
"""


def test_django_constance(project):
    append(project, "mysite/settings.py", IN_THE_DATABASE + CONSTANCE_SETTINGS)
    migrate(project)
    printed = [line for line in run(project, CONSTANCE) if line[0] in "[b"]
    assert printed == ["['new.png', 'old.png']", "['new.png']", "b'new.png'"]


IMPORT = """
from django.core.files.base import ContentFile
from django.db import IntegrityError
from import_export.resources import modelresource_factory
from papers.models import Paper
from tablib import Dataset

march = Paper.objects.create(title="March", data=ContentFile(b"march", "march.txt"))
Paper.objects.create(title="none")
try:
    from papers.resources import PaperResource
except ImportError:
    PaperResource = modelresource_factory(Paper)
exported = PaperResource().export()
print([name == march.data.name for name in exported["data"]], exported["data"][1] == "")
again = PaperResource().import_data(exported, raise_errors=True)
print(again.totals["update"], [bool(paper.data) for paper in Paper.objects.order_by("pk")])
wrong = Dataset(("", "wrong", "4000000000.txt"), ("", "right", ""), headers=["id", "title", "data"])
for dry_run in (True, False):
    try:
        result = PaperResource().import_data(wrong, dry_run=dry_run, use_transactions=True)
        print([number for number, _ in result.row_errors()])
    except IntegrityError as error:
        print(type(error).__name__)
print(Paper.objects.count())
"""


def test_django_import_export(project):
    append(project, "mysite/settings.py", '\nINSTALLED_APPS += ["import_export"]\n')
    migrate(project)
    as_it_was = ["[True, False] True", "2 [True, False]"]
    assert run(project, IMPORT) == [*as_it_was, "[]", "IntegrityError", "2"]
    run(project, "from papers.models import Paper; Paper.objects.all().delete()")
    follow(project, "django-import-export")
    assert run(project, IMPORT) == [*as_it_was, "[1]", "[1]", "2"]


WAITS = """
from import_export.tmp_storages import MediaStorage

waiting = MediaStorage()
waiting.save(b"march")
try:
    print(MediaStorage(name=waiting.name, read_mode="rb").read())
except FileNotFoundError as error:
    print(type(error).__name__)
"""
ON_DISK = '{"BACKEND": "django.core.files.storage.FileSystemStorage"}'


def test_what_django_import_export_keeps_until_it_is_confirmed(project):
    append(project, "mysite/settings.py", IN_THE_DATABASE)
    migrate(project)
    assert run(project, WAITS) == ["FileNotFoundError"]
    assert 'give `STORAGES["import_export"]`' in PAGE
    append(project, "mysite/settings.py", f'STORAGES["import_export"] = {ON_DISK}\n')
    assert run(project, WAITS) == ["b'march'"]


BACKUP_SETTINGS = """
INSTALLED_APPS += ["dbbackup"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "dbbackup": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": BASE_DIR / "backups"},
    },
}
"""
BACKUP = """
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection
from papers.models import Paper

Paper.objects.all().delete()
paper = Paper.objects.create(title="March", data=ContentFile(b"march", "march.txt"))
call_command("dbbackup", verbosity=0)
paper.data = ContentFile(b"april", "april.txt")
paper.save()
connection.close()
call_command("dbrestore", interactive=False, verbosity=0)
try:
    with Paper.objects.get().data.open() as file:
        print(file.read())
except FileNotFoundError as error:
    print(type(error).__name__)
"""
OBJECTS = "select count(*) from pg_largeobject_metadata"


def test_django_dbbackup(project):
    project.environment["PATH"] = f"{find_programs()}:{project.environment['PATH']}"
    project.environment["PYTHONWARNINGS"] = "ignore"  # dbbackup leaves its files to be collected.
    append(project, "mysite/settings.py", BACKUP_SETTINGS)
    migrate(project)
    assert run(project, BACKUP) == ["b'march'"]
    schemas = 'DBBACKUP_CONNECTORS = {"default": {"SCHEMAS": ["public"]%s}}\n'
    for more in ("", ', "DUMP_SUFFIX": "--large-objects"'):
        append(project, "mysite/settings.py", schemas % more)
        assert run(project, BACKUP) == ["FileNotFoundError"]
    follow(project, "django-dbbackup")
    assert run(project, BACKUP) == ["b'march'"]
    assert project.ask(OBJECTS) > [(1,)]  # those that were newer
    subprocess.run(
        [find_programs() / "vacuumlo", project.database], env=project.environment, check=True
    )
    assert project.ask(OBJECTS) == [(1,)]


PICTURE = """
from io import BytesIO

from django.core.files.base import ContentFile
from lo_storage.models import LargeObject
from papers.models import Paper
from PIL import Image


def picture():
    content = BytesIO()
    Image.new("RGB", (200, 100)).save(content, "PNG")
    return ContentFile(content.getvalue(), "a.png")


if not Paper.objects.exists():
    Paper.objects.create(title="Picture", data=picture())
"""
EASY = f"""{PICTURE}
from easy_thumbnails.files import get_thumbnailer

for _ in range(2):
    thumbnail = get_thumbnailer(Paper.objects.get().data).get_thumbnail({{"size": (50, 50)}})
print(thumbnail.storage.exists(thumbnail.name), LargeObject.objects.count())
"""
SORL = f"""{PICTURE}
from sorl.thumbnail import get_thumbnail

names = [get_thumbnail(Paper.objects.get().data, "50x50").name for _ in range(3)]
print(len(set(names)), LargeObject.objects.count())
"""
IMAGEKIT = f"""{PICTURE}
from imagekit import ImageSpec
from imagekit.cachefiles import ImageCacheFile
from imagekit.processors import ResizeToFit


class Small(ImageSpec):
    processors, format = [ResizeToFit(50, 50)], "PNG"


small = ImageCacheFile(Small(Paper.objects.get().data))
small.generate()
print(small.storage.exists(small.name), LargeObject.objects.count())
"""


def assert_thumbnails_go_elsewhere(project, title, app, script, without):
    """Without what the page says a script prints `without` and the check warns; with it not."""
    append(project, "mysite/settings.py", f"{IN_THE_DATABASE}\nINSTALLED_APPS += ['{app}']\n")
    migrate(project)
    assert "lo_storage.W009" in project.manage("check")
    for expected in without:
        assert run(project, script) == [expected]
    files = project.ask("select count(*) from lo_storage_largeobject")[0][0]
    follow(project, title)
    assert "lo_storage.W009" not in project.manage("check")
    for _ in range(2):
        (printed,) = run(project, script)
        assert printed == f"{True if script is not SORL else 1} {files}"
    assert [path for path in (project.folder / "media").rglob("*") if path.is_file()] != []


def test_easy_thumbnails(project):
    without = ["False 2", "False 2"]
    assert_thumbnails_go_elsewhere(project, "easy-thumbnails", "easy_thumbnails", EASY, without)


def test_sorl_thumbnail(project):
    without = ["3 4", "3 7"]
    assert_thumbnails_go_elsewhere(project, "sorl-thumbnail", "sorl.thumbnail", SORL, without)


def test_django_imagekit(project):
    without = ["False 2", "False 3"]
    assert_thumbnails_go_elsewhere(project, "django-imagekit", "imagekit", IMAGEKIT, without)


CLIENTS = """
from django.contrib.auth.models import User
from django.test import Client

user = User.objects.create_superuser("alice", password="a-Secret-1")
alice, nobody = Client(headers={"host": "localhost"}), Client(headers={"host": "localhost"})
alice.force_login(user)


def answers(client, address):
    response = client.get(address)
    content = response.getvalue()
    return response.status_code, content[:5] if response.status_code == 200 else ""
"""
FILER_SETTINGS = """
INSTALLED_APPS += ["polymorphic", "easy_thumbnails", "filer"]
MEDIA_ROOT, MEDIA_URL = BASE_DIR / "media", "/media/"
"""
FILER = f"""{PICTURE}{CLIENTS}
from django.db import transaction
from filer.models import File, Image as Picture

Paper.objects.all().delete()
Picture.objects.create(original_filename="a.png", file=picture(), is_public=False, owner=user)
made = File.objects.get()
print(made.url == f"/private/{{made.file.name}}")
print(answers(nobody, made.url), answers(alice, made.url))
print(answers(alice, made.url.replace("private", "files"))[0])
for is_public in (False, True):
    with transaction.atomic():
        made.is_public = is_public
        made.save()
    made = File.objects.get()
    thumbnail = made.file.get_thumbnail({{"size": (50, 50)}})
    print(thumbnail.storage.exists(thumbnail.name), LargeObject.objects.count())
print(made.url == f"/files/{{made.file.name}}", answers(nobody, made.url))
print(answers(alice, "/admin/filer/folder/unfiled_images/")[0])
made.delete()
print(LargeObject.objects.count())
"""


def test_django_filer(project):
    project.environment["PYTHONWARNINGS"] = "ignore"  # Its admin warns with this Django.
    append(project, "mysite/settings.py", FILER_SETTINGS)
    follow(project, "django-filer")
    # Otherwise an address that does not exist is refused to her with a traceback.
    append(project, "mysite/settings.py", "DEBUG, ALLOWED_HOSTS = False, ['localhost']\n")
    migrate(project)
    assert "lo_storage.W009" not in project.manage("check")
    assert run(project, FILER) == [
        "True",
        "(404, '') (200, b'\\x89PNG\\r')",
        "404",
        "True 1",
        "True 1",
        "True (200, b'\\x89PNG\\r')",
        "200",
        "0",
    ]
    # With the thumbnails where the files are
    append(project, "mysite/settings.py", 'del FILER_STORAGES["public"]["thumbnails"]\n')
    assert "lo_storage.W009" not in project.manage("check")
    append(project, "mysite/settings.py", IN_THE_DATABASE)
    warned = project.manage("check")
    assert 'FILER_STORAGES["public"]["thumbnails"]' in warned
    assert "THUMBNAIL_DEFAULT_STORAGE_ALIAS" in warned


WAGTAIL_SETTINGS = """
INSTALLED_APPS += [
    "wagtail.admin", "wagtail.documents", "wagtail.images", "wagtail.search", "wagtail.sites",
    "wagtail.users", "wagtail", "django.contrib.postgres", "modelcluster", "taggit",
]
WAGTAIL_SITE_NAME, WAGTAILADMIN_BASE_URL = "Papers", "http://localhost"
"""
WAGTAIL_PATHS = """
from django.urls import include

urlpatterns += [
    path("cms/", include("wagtail.admin.urls")),
    path("documents/", include("wagtail.documents.urls")),
    path("site/", include("wagtail.urls")),
]
"""
WAGTAIL = f"""{PICTURE}{CLIENTS}
from django.core.files.uploadedfile import SimpleUploadedFile
from wagtail.documents.models import Document
from wagtail.images.models import Image as Picture
from wagtail.models import Collection, CollectionViewRestriction

Paper.objects.all().delete()
private = Collection.get_first_root_node().add_child(name="private")
CollectionViewRestriction.objects.create(collection=private, restriction_type="login")
file = SimpleUploadedFile("march.pdf", b"%PDF march")
fields = {{"title": "March", "file": file, "collection": private.pk}}
print(alice.post("/cms/documents/add/", fields).status_code)
document = Document.objects.get()
print(answers(nobody, document.url)[0], answers(alice, document.url))
print(answers(nobody, document.file.url))
fields = {{"title": "Picture", "file": picture(), "collection": 1}}
print(alice.post("/cms/images/add/", fields).status_code)
for _ in range(2):
    rendition = Picture.objects.get().get_rendition("width-50")
    print(LargeObject.objects.count())
print(answers(nobody, rendition.url), answers(nobody, Picture.objects.get().file.url))
print(answers(alice, "/cms/images/")[0], answers(alice, "/cms/documents/")[0])
document.delete()
Picture.objects.get().delete()
print(LargeObject.objects.count())
"""


def test_wagtail(project):
    project.environment["PYTHONWARNINGS"] = "ignore"  # It leaves renditions to be collected.
    append(project, "mysite/settings.py", WAGTAIL_SETTINGS)
    append(project, "mysite/urls.py", WAGTAIL_PATHS)
    follow(project, "Wagtail")
    append(project, "mysite/settings.py", "DEBUG, ALLOWED_HOSTS = False, ['localhost']\n")
    migrate(project)
    assert "lo_storage.W009" not in project.manage("check")
    assert run(project, WAGTAIL) == [
        "302",
        "302 (200, b'%PDF ')",
        "(404, '')",
        "302",
        *["3", "3"],
        "(200, b'\\x89PNG\\r') (404, '')",
        "200 200",
        "0",
    ]
    # As Wagtail has it, the one who may read it is sent where nobody is asked.
    append(project, "mysite/settings.py", "del WAGTAILDOCS_SERVE_METHOD\n")
    run(project, "from django.contrib.auth.models import User; User.objects.all().delete()")
    assert "302 (302, '')" in run(project, WAGTAIL)


REST = """
from django.core.files.uploadedfile import SimpleUploadedFile
from papers.models import Paper
from papers.serializers import PaperSerializer
from rest_framework.generics import CreateAPIView
from rest_framework.test import APIRequestFactory

view = CreateAPIView.as_view(
    serializer_class=PaperSerializer, authentication_classes=[], permission_classes=[]
)


def post():
    file = SimpleUploadedFile("x" * 150 + ".pdf", b"march")
    fields = {"title": "March", "data": file}
    response = view(APIRequestFactory().post("/", fields, headers={"host": "localhost"}))
    return response.status_code, response.data


status, data = post()
paper = Paper.objects.get()
url = f"http://localhost{paper.data.url}"
print(status, data == {"id": paper.pk, "title": "March", "data": url})
serializer = PaperSerializer(paper, {"title": "March", "data": None})
serializer.is_valid(raise_exception=True)
print(serializer.save().data.name, PaperSerializer(paper).data["data"])
del PaperSerializer.Meta.extra_kwargs
status, data = post()
print(status, *data["data"])
"""


def test_djangorestframework(project):
    append(project, "mysite/settings.py", '\nINSTALLED_APPS += ["rest_framework"]\n')
    follow(project, "Django REST framework")
    migrate(project)
    assert run(project, REST) == [
        "201 True",
        "None None",
        "400 Ensure this filename has at most 100 characters (it has 154).",
    ]


UPLOADS_SETTINGS = """
INSTALLED_APPS += ["lo_storage.uploads"]
"""
# Ids by what is wrong with them, and `march()`, which stages another.
STAGE = """
from datetime import timedelta
from uuid import uuid4

from django.contrib.auth.models import User
from django.utils import timezone
from lo_storage.uploads import staging
from lo_storage.uploads.models import Upload
from papers.models import Paper

ada, eve = User.objects.create_user("ada"), User.objects.create_user("eve")


def stage(owner, length=5):
    begun = staging.create("default", owner, length, "march.pdf")
    upload = staging.claim("default", owner, begun.pk)
    staging.append("default", upload, b"march")
    return str(upload.pk)


def march():
    return stage(ada)


wrong = {"another's": stage(eve), "made up": str(uuid4()), "no id": "x"}
wrong["incomplete"] = stage(ada, 6)
wrong["expired"] = march()
Upload.objects.filter(pk=wrong["expired"]).update(expires_at=timezone.now() - timedelta(1))


def lose(*args, **kwargs):
    Upload.objects.filter(owner=ada).delete()


def last():
    with Paper.objects.order_by("pk").last().data.open() as file:
        return file.read()
"""
IS_GONE = "An upload is no longer here. Choose its file again."
REFUSED = [*3 * [IS_GONE], "“march.pdf” has not come whole yet.", IS_GONE]
REST_UPLOADS = f"""{STAGE}
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.signals import pre_save
from lo_storage.uploads.files import RefusedFile
from papers.serializers import PaperOfUploadSerializer
from rest_framework.generics import CreateAPIView
from rest_framework.test import APIRequestFactory, force_authenticate

view = CreateAPIView.as_view(serializer_class=PaperOfUploadSerializer)


class Many(CreateAPIView):
    serializer_class = PaperOfUploadSerializer

    def get_serializer(self, *args, **kwargs):
        return super().get_serializer(*args, many=True, **kwargs)


def post(fields, format="json", view=view):
    request = APIRequestFactory().post("/", fields, format, headers={{"host": "localhost"}})
    force_authenticate(request, ada)
    response = view(request)
    return response.status_code, response.data


for format in ("json", "multipart"):
    print(post({{"title": "March", "data": march()}}, format)[0], last())
    for id in wrong.values():
        print(*post({{"title": "March", "data": id}}, format)[1]["data"])
file = SimpleUploadedFile("a.pdf", b"file")
print(post({{"title": "File", "data": file}}, "multipart")[0], last())
print(post({{"title": "None", "data": None}})[0], *post({{"title": "x", "data": ""}})[1]["data"])
id, other = march(), march()
twice = [{{"title": "March", "data": id}}, {{"title": "April", "data": id}}]
status, problems = post(twice, view=Many.as_view())
print(status, *problems[1]["data"])
twice[1]["data"] = other
print(post(twice, view=Many.as_view())[0], last())
too_much = PaperOfUploadSerializer(data={{"title": "x", "data": RefusedFile("a.pdf", "Too much.")}})
print(too_much.is_valid(), *too_much.errors["data"])
rows = Paper.objects.count()
pre_save.connect(lose, Paper)
print(post({{"title": "March", "data": march()}})[0], Paper.objects.count() - rows)
"""


def test_uploads_in_an_api_of_rest_framework(project):
    append(project, "mysite/settings.py", UPLOADS_SETTINGS)
    append(project, "mysite/settings.py", 'INSTALLED_APPS += ["rest_framework"]\n')
    follow(project, "Django REST framework")
    migrate(project)
    not_a_file = "The submitted data was not a file. Check the encoding type on the form."
    assert run(project, REST_UPLOADS) == [
        *["201 b'march'", *REFUSED] * 2,
        "201 b'file'",
        f"201 {not_a_file}",
        "400 “march.pdf” is named twice, and can be saved once.",
        "201 b'march'",
        "False Too much.",
        "409 0",
    ]


NINJA = """
from django.core.files.uploadedfile import SimpleUploadedFile
from ninja.testing import TestClient
from papers.api import PaperSchema, api
from papers.models import Paper

file = SimpleUploadedFile("x" * 150 + ".pdf", b"march")
response = TestClient(api).post("/papers", {"title": "March"}, FILES={"data": file})
paper = Paper.objects.get()
print(response.status_code, response.json() == {"id": 1, "title": "March", "data": paper.data.url})
with paper.data.open() as file:
    print(file.read())
print(PaperSchema.from_orm(Paper(id=2, title="none")).data)
"""


def test_django_ninja(project):
    follow(project, "django-ninja")
    migrate(project)
    assert run(project, NINJA) == ["200 True", "b'march'", "None"]


NINJA_UPLOADS = f"""{STAGE}
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.signals import pre_save
from ninja.testing import TestClient
from papers.api import PaperIn, PaperSchema, api, django_auth
from papers.models import Paper


@api.post("/batch", response=list[PaperSchema], auth=django_auth)
def take_all(request, papers: list[PaperIn]):
    return [Paper.objects.create(**paper.dict()) for paper in papers]


def post(fields, path="/papers/of-uploads"):
    response = TestClient(api).post(path, json=fields, user=ada)
    return response.status_code, response.json()


print(post({{"title": "March", "data": march()}})[0], last())
for id in wrong.values():
    status, problems = post({{"title": "March", "data": id}})
    assert status == 422
    print(*(problem["msg"] for problem in problems["detail"]))
id, other = march(), march()
twice = [{{"title": "March", "data": id}}, {{"title": "April", "data": id}}]
status, problems = post(twice, "/batch")
print(status, *((problem["loc"], problem["msg"]) for problem in problems["detail"]))
twice[1]["data"] = other
print(post(twice, "/batch")[0], last())
file = SimpleUploadedFile("a.pdf", b"file")
print(TestClient(api).post("/papers", {{"title": "a"}}, FILES={{"data": file}}).status_code, last())
components = api.get_openapi_schema(path_prefix="/")["components"]
print(components["schemas"]["PaperIn"]["properties"]["data"]["format"])
rows = Paper.objects.count()
pre_save.connect(lose, Paper)
print(post({{"title": "March", "data": march()}})[0], Paper.objects.count() - rows)
"""


def test_uploads_in_an_api_of_ninja(project):
    append(project, "mysite/settings.py", UPLOADS_SETTINGS)
    follow(project, "django-ninja")
    migrate(project)
    second = ["body", "papers", 1, "data"]
    assert run(project, NINJA_UPLOADS) == [
        "200 b'march'",
        *REFUSED,
        f"422 ({second}, '“march.pdf” is named twice, and can be saved once.')",
        "200 b'march'",
        "200 b'file'",
        "uuid",
        "409 0",
    ]


FACTORY = """
from lo_storage.models import LargeObject
from papers.factories import PaperFactory

paper = PaperFactory()
paper.refresh_from_db()
with paper.data.open() as file:
    print(file.read(), LargeObject.objects.get().original_name)
print(PaperFactory(data=None).data.name, LargeObject.objects.count())
print(PaperFactory.build().data.name, LargeObject.objects.count())
"""


def test_factory_boy(project):
    follow(project, "factory_boy")
    migrate(project)
    assert run(project, FACTORY) == ["b'march' march.pdf", "None 1", "march.pdf 1"]


BAKERY = """
from django.db import IntegrityError
from model_bakery import baker
from papers.models import Scan

for options in ({"_create_files": True}, {}):
    try:
        made = baker.make(Scan, **options)
        with made.data.open() as data, made.picture.open() as picture:
            print(len(data.read()) > 0, len(picture.read()) > 0)
    except (IntegrityError, TypeError) as error:
        print(type(error).__name__)
"""
SCAN = """

from lo_storage.fields import DbImageField


class Scan(models.Model):
    data = DbFileField()
    picture = DbImageField()

    class Meta:
        constraints = [
            LargeObjectReference(field="data", name="papers_scan_data"),
            LargeObjectReference(field="picture", name="papers_scan_picture"),
        ]
"""


def test_model_bakery(project):
    append(project, "papers/models.py", SCAN)
    migrate(project)
    assert run(project, BAKERY) == ["TypeError", "IntegrityError"]
    follow(project, "model_bakery")
    assert run(project, BAKERY) == ["True True", "IntegrityError"]


@pytest.fixture(scope="session")
def python_for_moving(request):
    # Of Django whatever is newest for all of them.
    folder = request.config.cache.mkdir("for-moving")
    return environment(folder, "django>=5.2", "psycopg[binary]", *FOR_MOVING)


@pytest.fixture
def s3(python_for_moving, tmp_path):
    """The address of a server that answers as S3 does."""
    port = free_port()
    server = [python_for_moving, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with started(server, port, tmp_path / "moto.log"):
        yield f"http://127.0.0.1:{port}"


STORAGES = """
INSTALLED_APPS += ["lo_storage", "dbfiles", "binary_database_files", "letters"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "mysite"}}}}
MEDIA_ROOT, MEDIA_URL = BASE_DIR / "media", "/media/"
SILENCED_SYSTEM_CHECKS = ["lo_storage.W005"]
STORAGES = {{
    "default": {{"BACKEND": "django.core.files.storage.FileSystemStorage"}},
    "staticfiles": {{"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}},
    "s3": {{
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {{
            "bucket_name": "letters",
            "endpoint_url": "{address}",
            "access_key": "a",
            "secret_key": "b",
            "region_name": "us-east-1",
        }},
    }},
    "copies": {{
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {{
            "bucket_name": "copies",
            "endpoint_url": "{address}",
            "access_key": "a",
            "secret_key": "b",
            "region_name": "us-east-1",
        }},
    }},
    "dbfiles": {{"BACKEND": "dbfiles.storage.DBStorage"}},
    "binary": {{"BACKEND": "binary_database_files.storage.DatabaseStorage"}},
}}
"""
LETTERS = """
from django.db import models

from lo_storage.fields import DbFileField


class Letter(models.Model):
    data = DbFileField(null=True, blank=True, upload_to="letters")

    def __str__(self):
        return f"Letter {self.pk}"
"""
FILL = """
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from letters.models import Letter

for bucket in ["letters", "copies"]:
    storages["s3"].connection.create_bucket(Bucket=bucket)
Letter.objects.all().delete()
for name, content in [("a letter.pdf", b"small"), ("large.bin", bytes(9_000_000)), ("0.txt", b"")]:
    name = storages[{storage!r}].save(f"letters/{{name}}", ContentFile(content))
    Letter.objects.create(data=name)
Letter.objects.create(data="letters/missing.pdf")
"""
LOOK = """
import hashlib
from lo_storage.models import LargeObject
from letters.models import Letter

for letter in Letter.objects.order_by("pk")[:3]:
    entry = LargeObject.objects.get(name=letter.data.name)
    with letter.data.open() as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    print(entry.original_name, entry.size)
"""
SAME = """
from django.core.files.storage import FileSystemStorage, storages
from letters.models import Letter

sizes = []
for name in Letter.objects.order_by("pk").values_list("data", flat=True)[:3]:
    contents = {{
        storage.open(name).read()
        for storage in [storages[{storage!r}], storages["copies"], FileSystemStorage("disk")]
    }}
    (content,) = contents
    sizes.append(len(content))
print(sizes)
"""
VALIDATE = """
import bagit

bagit.Bag("out").validate()
print("valid")
"""


@pytest.mark.parametrize("storage", ["s3", "dbfiles", "binary"])
def test_files_come_in_from_and_go_out_to(storage, tmp_path, python_for_moving, s3):
    with Project(tmp_path, python_for_moving) as project:
        project.environment["PYTHONWARNINGS"] = "ignore"  # They have theirs.
        project.type("django-admin startproject mysite .")
        project.copy_the_library()
        project.follow("mysite/settings.py", STORAGES.format(address=s3))
        append(project, "letters/__init__.py", "")
        append(project, "letters/models.py", LETTERS)
        project.manage("makemigrations", "letters")
        project.manage("migrate")
        run(project, FILL.format(storage=storage))

        # To a folder, and from there to S3: neither end is the library, and no name changes
        column = "letters.Letter.data"
        for source, target in [(storage, "./disk"), ("./disk", "copies")]:
            for moved in (3, 0):
                move = ("lo_import", column, "--from", source, "--to", target)
                last = project.manage(*move, fails=True).splitlines()[-1]
                assert last == f"CommandError: Moved: {moved}. Not moved: 1."
        assert run(project, SAME.format(storage=storage))[-1] == "[5, 9000000, 0]"

        lines = project.manage("lo_import", column, "--from", storage, fails=True).splitlines()
        assert lines[-1] == "CommandError: Moved: 3. Not moved: 1."
        assert "names letters/missing.pdf, which is not in the source" in lines[-2]
        names, sizes = zip(*(line.rsplit(" ", 1) for line in run(project, LOOK)[-3:]), strict=True)
        assert sizes == ("5", "9000000", "0")
        assert {name.partition("_")[0] for name in names} <= {
            "a letter.pdf",
            "a",
            "large.bin",
            "0.txt",
        }

        # The bag, by the Library of Congress' own
        assert run_last(project, "lo_export", "--all", "out") == "Moved: 3. Not moved: 0."
        assert project.run("-c", VALIDATE).splitlines()[-1] == "valid"

        # And out again
        taken = project.manage("lo_export", column, "--to", storage, "--delete-source")
        assert taken.splitlines()[-1] == "Moved: 3. Not moved: 0."
        assert project.ask("select count(*) from lo_storage_largeobject") == [(0,)]
        back = project.manage("lo_import", column, "--from", storage, fails=True)
        assert back.splitlines()[-1] == "CommandError: Moved: 3. Not moved: 1."
        # The first ones were kept, and so their names were taken.
        assert [line[-2:] for line in run(project, LOOK)[-3:]] == [" 5", "00", " 0"]


def run_last(project, *command):
    return project.manage(*command).splitlines()[-1]


SIGNATURE = f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n"
ADD = """
from django.urls import path
from papers.page import add

urlpatterns += [path("add/", add)]
"""
AT = """
LO_STORAGE_UPLOADS["CLAMD"] = "{folder}/clamd.ctl"
"""
SEND = """
import re
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from lo_storage.models import LargeObject
from lo_storage.uploads.models import Upload

user, _ = User.objects.get_or_create(username="alice")
alice = Client(headers={{"host": "localhost"}})
alice.force_login(user)
kept = {{"data-staged": str(upload.pk) for upload in Upload.objects.all()}}
sent = kept or {{"data": SimpleUploadedFile("scan.pdf", bytes.fromhex("{content}"))}}
response = alice.post("/add/", {{"title": "March"}} | sent)
told = re.findall("<li>(scan.pdf:.*|“scan.pdf” .*)</li>", response.content.decode())
print(response.status_code, *told)
print(Upload.objects.count(), LargeObject.objects.count())
"""


@contextmanager
def clamd(folder):
    """ClamAV's daemon, with one signature, and what the page adds to its configuration."""
    (limits,) = re.findall(r"^```text\n(.*?)^```", UPLOADS, re.S | re.M)
    configuration = folder / "clamd.conf"
    configuration.write_text(
        f"DatabaseDirectory {folder}\nLocalSocket {folder}/clamd.ctl\nForeground true\n{limits}"
    )
    (folder / "eicar.ndb").write_text(SIGNATURE)
    program = shutil.which("clamd", path="/usr/sbin:/usr/bin")
    daemon = [program, f"--config-file={configuration}"]
    with started(daemon, folder / "clamd.ctl", folder / "log"):
        yield


def test_clamav(tmp_path):
    """As `docs/uploads.md` says."""
    with (
        TemporaryDirectory(prefix="clamav-", dir="/tmp") as folder,  # a socket has a short path
        Project(tmp_path) as project,
    ):
        begin(project)
        blocks = [text for _, text in steps(UPLOADS)]
        for word in ["INSTALLED_APPS", "CLAMD"]:
            (text, *_) = [text for text in blocks if word in text]
            project.follow("mysite/settings.py", text)
        (view,) = [text for text in blocks if "class PaperForm" in text]
        append(project, "papers/page.py", view)
        append(project, "papers/templates/papers/add.html", "{{ form }}")
        append(project, "mysite/urls.py", ADD)
        append(project, "mysite/settings.py", AT.format(folder=folder))
        migrate(project)
        project.manage("check")

        def send(content):
            return run(project, SEND.format(content=content.hex()))[-2:]  # after what is logged

        virus = "The virus “Eicar-Test-Signature.UNOFFICIAL” was found in it"
        with clamd(Path(folder)):
            told, left = send(EICAR)
            assert told.startswith(f"200 scan.pdf: {virus}")
            assert left == "0 0"
        told, left = send(b"content")
        assert told.startswith("200 “scan.pdf” could not be checked for viruses now. It is kept")
        assert left == "1 0"
        with clamd(Path(folder)):
            assert send(b"kept") == ["302", "0 1"]
