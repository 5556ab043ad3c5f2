"""What a user has sent, and no invoice has taken yet: looked at before it is saved."""

from functools import partial

from django.http import Http404

from lo_storage.catalogue import Entry
from lo_storage.database import close_connections, db_for_write
from lo_storage.names import suffix_of
from lo_storage.serving.answers import answer
from lo_storage.serving.headers import describe
from lo_storage.serving.responses import respond
from lo_storage.uploads import staging
from lo_storage.uploads.files import StagedFile

from .models import Invoice, preview_of
from .texts import MAX_PREVIEW, decoded

CHARSETS = {"UTF-8": "utf-8", "UTF-16": "utf-16", "Windows-1252": "windows-1252"}


class Look:
    """What a page tells of such a file: how it can be shown, and whether I have it already."""

    def __init__(self, file, twin):
        self.file, self.twin = file, twin
        self.preview = preview_of(file.name)


def find(user, *ids):
    """Return my uploads of which all has come; of others, whosoever they are, none."""
    alias = db_for_write()
    return [
        StagedFile(alias, upload)
        for upload in staging.find(alias, user, ids).values()
        if upload.is_complete and staging.seal(alias, upload)
    ]


def find_one(user, id):
    for file in find(user, id):
        return file
    raise Http404("There is no such file.")


def look_at(user, *ids):
    files = find(user, *ids)
    twins = Invoice.objects.with_content(user, [file.sha256 for file in files])
    return [Look(file, twins.get(file.sha256)) for file in files]


def serve(request, file):
    """Answer as `db_serve` does for a file of a row."""
    upload = file.upload
    entry = Entry(
        loid=upload.loid,
        name=f"{upload.loid}{suffix_of(file.name)}",
        original_name=file.name,
        size=file.size,
        sha256=file.sha256,
        version=1,
        created_at=upload.created_at,
        modified_at=upload.created_at,
    )
    charset = None
    if preview_of(file.name) == "text":
        with file.open() as opened:
            text = decoded(opened.read(MAX_PREVIEW), is_cut=file.size > MAX_PREVIEW)
        charset = CHARSETS.get(text.encoding)
    headers = describe(entry, cache_control="private, no-store", charset=charset)
    described = answer(request.method, request.headers, entry, headers)
    return respond(request, file.alias, entry, described, partial(read, file))


def read(file, start, end):
    with file.open() as opened:
        opened.seek(start)
        part = opened.read(end - start)
    close_connections(pooled_only=True)
    return [part]
