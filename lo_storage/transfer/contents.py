"""The content of one file, wherever it is: read, hashed, and put into the library."""

import hashlib
import io
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, SuspiciousOperation
from django.core.files import File
from django.core.files.storage import Storage
from django.db import Error
from django.utils import timezone

from .. import catalogue
from ..catalogue import SMALL_SIZE, New
from ..database import cursor
from ..storage import DbFileStorage

# What one statement puts into the library, and of how many files at most.
BATCH_SIZE = 1024 * 1024
BATCH_FILES = 500

# What somebody else's storage raises beside OSError, by the module that has it: django-storages
# lets the errors of each service's own client through.
FOREIGN_ERRORS = {
    "azure.core.exceptions": ["AzureError"],
    "botocore.exceptions": ["BotoCoreError", "ClientError"],
    "google.api_core.exceptions": ["GoogleAPIError"],
    "google.auth.exceptions": ["GoogleAuthError"],
    "paramiko": ["SSHException"],
    "requests.exceptions": ["RequestException"],
}

READ_AGAIN = """
    select name, lo_get(loid, 0, size::int + 1)
      from lo_storage_largeobject
     where name = any (%(names)s::text[])
"""


READ_SMALL = """
    select name, lo_get(object.oid, 0, size::int + 1), size
      from lo_storage_largeobject
      join pg_largeobject_metadata object
        on object.oid = loid and pg_has_role(lomowner, 'usage')
     where name = any (%(names)s::text[]) and size <= %(size)s
"""


class NotAsItWas(OSError):
    """What was read again differs from what was to be stored."""


def storage_errors() -> tuple[type[Exception], ...]:
    """Return what a storage may raise for a file that it cannot read or write."""
    foreign = [
        getattr(sys.modules[module], name)
        for module, names in FOREIGN_ERRORS.items()
        for name in names
        if module in sys.modules
    ]
    return (
        *(OSError, SuspiciousOperation, Error, ObjectDoesNotExist, NotImplementedError),
        *foreign,
    )


def sha256_of(file: File) -> str:  # type: ignore[type-arg]  # no generic at run time
    """Return the SHA-256 of a content, in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def small_content(file: Any) -> bytes | None:
    """Return the content of a small file, and None of any other."""
    try:
        size = file.size
    except (AttributeError, io.UnsupportedOperation):
        size = 0  # It is not known.
    if size >= SMALL_SIZE:
        return None  # Some storages fetch all of a file when any of it is read.
    parts: list[bytes] = []
    size = 0
    while size < SMALL_SIZE and (part := file.read(SMALL_SIZE - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts) if size < SMALL_SIZE else None


def put_small(alias: str, files: Sequence[New]) -> list[str]:
    """Store small files in this transaction, read them again, and return their stored names."""
    with cursor(alias) as c:
        names = catalogue.create_many(c, files)
        c.execute(READ_AGAIN, {"names": names})
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in c.fetchall()}
    for name, file in zip(names, files, strict=True):
        compare(hashes[name], file.sha256)
    return names


def put_large(
    storage: DbFileStorage,
    alias: str,
    original_name: str,
    content: File,  # type: ignore[type-arg]
    times: "Times",
) -> tuple[str, str]:
    """Store a file in this transaction, read it again, and return (stored name, SHA-256)."""
    name = storage.save(original_name, content)
    with cursor(alias) as c:
        catalogue.date(c, name, *times)
        entry = catalogue.find(c, name)
    assert entry is not None
    assert entry.sha256 is not None
    with storage.open(name) as stored:
        compare(sha256_of(stored), entry.sha256)
    return name, entry.sha256


def read_small(alias: str, names: Sequence[str]) -> dict[str, bytes]:
    """Return the contents of small files; of one that is gone, cut, or another role's, none."""
    with cursor(alias) as c:
        c.execute(READ_SMALL, {"names": list(names), "size": SMALL_SIZE})
        return {name: content for name, content, size in c.fetchall() if len(content) == size}


def compare(read: str, expected: str) -> None:
    """Raise `NotAsItWas` where two hashes differ."""
    if read != expected:
        raise NotAsItWas(f"its SHA-256 is {read} where it was read again, and was {expected}")


# (created_at, modified_at); None where the storage does not know.
type Times = tuple[datetime | None, datetime | None]


def times_of(storage: Storage, name: str) -> Times:
    """Return when a file was created and modified, as far as its storage knows."""
    known: list[datetime | None] = []
    for get in (storage.get_created_time, storage.get_modified_time):
        try:
            time = get(name)
        except NotImplementedError:
            known.append(None)
        else:
            known.append(timezone.make_aware(time) if timezone.is_naive(time) else time)
    created, modified = known
    if modified and (created is None or modified < created):
        created = modified  # The ctime of a copy is later than what is in it.
    return created, modified
