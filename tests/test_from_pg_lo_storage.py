"""Data of the real pg-lo-storage 0.2.2 goes on here, by the steps of docs/from-pg-lo-storage.md."""

import re
import sys
from urllib.parse import quote

import pytest

from .newcomer import ROOT, Browser, Project, environment, steps

PAGE = (ROOT / "docs" / "from-pg-lo-storage.md").read_text()

README = "from importlib.metadata import metadata; print(metadata('pg-lo-storage').get_payload())"

URLS = """
from papers.views import serve

urlpatterns += [path("invoice/<str:filename>", serve)]
"""
VIEWS = """
from pg_lo_storage.views import db_serve


def serve(request, filename):
    return db_serve(request, filename)
"""
# The suffixes that 0.2.2 makes of a name
NAMES = {
    "march.pdf": ".pdf",
    "notes.tar.gz": ".tar.gz",
    "Offer 2. final v1.2 of May.pdf": ". final v1.2 of May.pdf",
    "Übersicht. der Größe .txt": ". der Größe .txt",
    "LICENSE": "",
}
SAVE = f"""
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection, transaction
from papers.models import Invoice

assert connection.Database.__name__ == "psycopg2"
owner = User.objects.create_user("alice")
with transaction.atomic():
    for name in {list(NAMES)}:
        Invoice.objects.create(owner=owner, data=ContentFile(name.encode(), name))
    march = Invoice.objects.get(pk=1)
    html = march.data.name.replace(".pdf", ".html")
    for name in (march.data.name, html, "uploads/1.pdf", "4294967295.pdf"):
        Invoice.objects.create(owner=owner, data=name)
    Invoice.objects.create(owner=owner)
"""
GO_ON = """
from django.core.files.base import ContentFile
from papers.models import Invoice

for invoice in Invoice.objects.exclude(data=None).order_by("pk"):
    with invoice.data.open() as file:
        print(invoice.pk, file.read().decode(), sep=":")

notes = Invoice.objects.get(pk=2)
notes.data = ContentFile(b"new", "notes.zip")
notes.save()
notes.save()
Invoice.objects.get(pk=3).delete()
"""


@pytest.fixture
def project(tmp_path, request):
    """The project of somebody who uses pg-lo-storage, on psycopg 2."""
    directory = request.config.cache.mkdir("pg-lo-storage")
    old = environment(directory, "pg-lo-storage==0.2.2", "psycopg2-binary", "django==5.2.*")
    (_, make), _, (settings, databases), *_ = steps((ROOT / "lo_storage" / "README.md").read_text())
    with Project(tmp_path, old) as project:
        project.follow("console", make)
        project.follow(settings, databases.replace('"lo_storage", ', ""))
        model = re.search(r"```python\n(.*?)```", project.run("-c", README), re.S)[1]
        # Which its README forgets.
        project.follow("papers/models.py", "from django.conf import settings\n" + model)
        project.follow("papers/views.py", VIEWS)
        project.follow("mysite/urls.py", URLS)
        project.manage("makemigrations", "papers")
        project.manage("migrate")
        project.ask("select lo_from_bytea(0, 'another application''s')")
        project.manage("shell", "-c", SAVE)
        yield project


def objects(project):
    query = "select oid, lo_get(oid) from pg_largeobject_metadata"
    return {oid: bytes(content) for oid, content in project.ask(query)}


def test_data_of_0_2_2_goes_on(project):
    before = objects(project)
    assert len(before) == len(NAMES) + 1
    stored = [name for (name,) in project.ask("select data from papers_invoice order by id")]
    kept = stored[: len(NAMES)]
    assert [name.lstrip("0123456789") for name in kept] == list(NAMES.values())
    march = kept[0]
    assert stored[len(NAMES) :] == [
        march,
        march.replace(".pdf", ".html"),
        "uploads/1.pdf",
        "4294967295.pdf",
        "",
    ]

    # The page
    project.python = sys.executable
    project.copy_the_library()
    change_import, installed, adopt, mend, *declare, migrate = steps(PAGE)
    for step in (change_import, installed):
        project.follow(*step)
    printed = project.follow(*adopt).splitlines()
    refused = [
        "papers.Invoice.data '4294967295.pdf': there is no such large object",
        f"papers.Invoice.data '{march.replace('.pdf', '.html')}': the large object is catalogued as"
        f" '{march}'",
        "papers.Invoice.data 'uploads/1.pdf': is no name that the library gives",
    ]
    said = [line for line in printed if line.startswith(("papers.Invoice.data '", "Large"))]
    assert sorted(said) == sorted(
        [
            *refused,
            "Large objects that would be adopted: 5. Names refused: 3.",
            *refused,
            "Large objects adopted: 5. Names refused: 3.",
        ]
    )
    project.follow(*mend)
    for step in declare:
        project.follow(*step)
    place, text = migrate
    *ahead, last = text.splitlines()
    project.follow(place, "\n".join(ahead))
    failed = project.manage("migrate", fails=True)
    assert "IntegrityError" in failed
    assert objects(project) == before

    # Two names are still refused: what the page says to do of each.
    project.ask(f"update papers_invoice set data = '{march}' where data like '%.html' returning 1")
    project.ask("update papers_invoice set data = null where data = 'uploads/1.pdf' returning 1")
    assert "adopted: 0. Names refused: 0." in project.manage("lo_adopt")
    project.follow(place, last)

    # The same objects, under the same numbers and names; nobody else's.
    assert objects(project) == before
    assert sorted(project.ask("select name from lo_storage_largeobject")) == sorted(
        (name,) for name in kept
    )
    assert project.ask("select count(*) from papers_invoice where data is null") == [(3,)]
    with project.serving() as address:
        browser = Browser(address)
        for name, content in zip(kept, NAMES, strict=True):
            whole = browser.look(f"/invoice/{quote(name)}")
            assert (whole.status_code, whole.content) == (200, content.encode())
            assert "Repr-Digest" not in whole.headers
        part = browser.look(f"/invoice/{march}", Range="bytes=0-4")
        assert (part.status_code, part.content) == (206, b"march")
        assert part.headers["Content-Disposition"] == f'inline; filename="{march}"'
        assert browser.look("/invoice/4294967295.pdf").status_code == 404
    printed = project.manage("shell", "-c", GO_ON)
    lines = [f"{number}:{name}" for number, name in enumerate(NAMES, 1)]
    assert [line for line in printed.splitlines() if ":" in line[:2]] == [
        *lines,
        "6:march.pdf",
        "7:march.pdf",
    ]
    after = objects(project)
    gone = {int(name.partition(".")[0]) for name in kept[1:3]}  # replaced, and deleted
    assert {loid: after[loid] for loid in before.keys() - gone} == {
        loid: content for loid, content in before.items() if loid not in gone
    }
    assert gone.isdisjoint(after)
    assert [content for loid, content in after.items() if loid not in before] == [b"new"]
