import csv

from django.core.files.base import ContentFile

from ..commands import run

COLUMN = "lo_storage_tests.Letter.data"


def lo_import(source=None, **options):
    """Let files come into a column: out of a storage, or of what else the options name."""
    if source is not None:
        options = {"from": str(source), "jobs": 1} | options
    return run("lo_import", column=COLUMN, **options)


def lo_export(folder, **options):
    return run("lo_export", all=str(folder), **options)


def index(folder):
    """The rows of an export's index."""
    with open(folder / "index.csv", newline="") as file:
        return list(csv.DictReader(file))


def made(letters, *contents):
    return [letters.objects.create(data=ContentFile(data, "a.pdf")) for data in contents]


def content_of(row):
    row.refresh_from_db()
    with row.data.open() as file:
        return file.read()
