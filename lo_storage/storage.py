"""`DbFileStorage`: Django's Storage API on large objects."""

import errno
import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain
from typing import IO, Any, Self, cast
from urllib.parse import urljoin

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import Storage
from django.db import transaction
from django.utils import timezone
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri

from . import catalogue, large_objects, names
from .catalogue import SMALL_SIZE, Entry
from .database import cursor, db_for_read, db_for_write, retry_on_recovery_conflict
from .files import READ_SIZE, DbFileIO
from .large_objects import WRITE_SIZE, Buffer

# Some are of other modules: pg-lo-storage, whose paths stay valid here, has them in its storage.
__all__ = [
    "DbFile",
    "DbFileIO",
    "DbFileStorage",
    "db_file_storage",
    "db_for_read",
    "db_for_write",
]


class DbFile(File):  # type: ignore[type-arg]  # no generic at run time
    """What `DbFileStorage.open()` returns: Django's `File` around a `DbFileIO`."""

    # For multiple_chunks(): below it chunks() is one round trip.
    DEFAULT_CHUNK_SIZE = READ_SIZE

    file: Any

    @property
    def size(self) -> int:
        """The number of bytes now, also of a closed file; one round trip."""
        return int(self.file.size)

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the content in chunks of `chunk_size` bytes (None: 256 KiB, the fastest)."""
        if chunk_size:
            yield from super().chunks(chunk_size)
        else:
            self.seek(0)
            yield from self.file.chunks()

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Open the file again; in a mode that writes, in the database for writing."""
        self.file.open(mode or self.mode)
        if self.file.mode[0] == "w":
            self.file.truncate()  # As Storage.open() does.
        return self


@deconstructible(path="lo_storage.storage.DbFileStorage")
class DbFileStorage(Storage):
    """Keep files as large objects, under names that PostgreSQL gives: "16418.pdf".

    Arguments:

    - `base_url`: what `url()` begins with (None: the setting MEDIA_URL).
    - `alias`: the Django database (None: the settings PG_LO_STORAGE_DB_FOR_READ and
      PG_LO_STORAGE_DB_FOR_WRITE).

    A stored name is the number of the large object and the suffix of the original file name
    (`lo_storage.names.suffix_of`); a folder in `upload_to` has no effect. The catalogue
    has the name letter for letter. Another spelling is no file, even where its number belongs to a
    large object.

    `save()` and `delete()` belong to the transaction in which they are called, and are transactions
    of their own where there is none. `open()` with a mode that writes needs a transaction, and all
    else works in autocommit, too.

    Round trips: one for each call, none for `url()`. One more to open with "w" or "a", and where a
    file is looked for in a second database. `save()` of more than 1 MiB takes one for each MiB, one
    to record size and checksum, and the transaction's.
    """

    def __init__(self, base_url: str | None = None, alias: str | None = None) -> None:
        self._base_url = base_url
        self.alias = alias

    @property
    def base_url(self) -> str | None:
        """What `url()` begins with, with a slash at its end."""
        base_url = settings.MEDIA_URL if self._base_url is None else self._base_url
        return base_url if base_url is None or base_url.endswith("/") else f"{base_url}/"

    @property
    def overrides_save(self) -> bool:
        """Whether a subclass saves in its own way, and so is to be asked for each file."""
        own = type(self)
        return (own.save, own._save) != (DbFileStorage.save, DbFileStorage._save)

    def is_valid_name(self, name: str) -> bool:
        """Whether `name` can be a stored name; nothing is looked up."""
        return names.loid_of(name) is not None

    def generate_filename(self, filename: str | os.PathLike[str]) -> str:
        """Return `filename`: the catalogue keeps it, and PostgreSQL gives the stored name."""
        return os.fspath(filename)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return `name`, or refuse it as Django does where its stored name may not fit."""
        longest = len(str(names.MAX_OID)) + len(names.suffix_of(name))
        if max_length is not None and longest > max_length:
            raise SuspiciousFileOperation(
                f"Storage can not find an available filename for {name!r}. Please make sure that"
                f' the corresponding file field allows sufficient "max_length" ({longest}).'
            )
        return name

    def _open(self, name: str, mode: str = "rb") -> DbFile:
        name = os.fspath(name)
        file = self._find_and_open(name, mode)
        if file.mode[0] == "w":
            file.truncate()
        return DbFile(cast(IO[bytes], file), name)

    def _find_and_open(self, name: str, mode: str) -> DbFileIO:
        loid = names.loid_of(name)
        if loid is None:
            raise _not_found(name)
        reader, writer = db_for_read(self.alias), db_for_write(self.alias)
        # The reader may be a replica that lags behind. `self.alias`, and not `reader`: with None a
        # later open() in a mode that writes chooses the writer.
        for alias in [self.alias] if reader == writer else [self.alias, writer]:
            with suppress(FileNotFoundError):
                file = DbFileIO(loid, mode, name, alias, content_below=SMALL_SIZE)
                if file.stored_name == name:
                    if alias != self.alias:
                        _log_fall_back(loid, reader, writer)
                    return file
                file.close()
        raise _not_found(name)

    def _save(self, name: str, content: "File[Any]") -> str:
        alias = db_for_write(self.alias)
        # A content that is a large object of this database already, as lo_storage.uploads has it.
        adopt = getattr(content, "adopt", None)
        if adopt and (adopted := adopt(alias, name)):
            return cast(str, adopted)
        parts = recut(content.chunks())
        first = next(parts, b"")
        second = next(parts, None)
        sha256 = hashlib.sha256(first)
        if second is None:
            with cursor(alias) as c:
                return catalogue.create(c, first, name, sha256.hexdigest())[1]
        with transaction.atomic(using=alias), cursor(alias) as c:
            loid, stored_name, _ = catalogue.create(c, first, name)
            size = len(first)
            # Nobody else sees this object yet: its row is completed once, at the end.
            for part in chain([second], parts):
                sha256.update(part)
                large_objects.write(c, loid, size, part)
                size += len(part)
            catalogue.complete(c, loid, size, sha256.hexdigest())
        return stored_name

    def delete(self, name: str) -> None:
        """Delete a file; a roll-back brings it back. One that does not exist is no error.

        Where a row names the file and the column has a `LargeObjectReference`, the commit raises
        `IntegrityError` and nothing is deleted.
        """
        if not name:
            raise ValueError("The name must be given to delete().")
        with cursor(db_for_write(self.alias)) as c:
            catalogue.delete(c, os.fspath(name))

    def exists(self, name: str) -> bool:
        try:
            self.locate(name)
        except FileNotFoundError:
            return False
        return True

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return no folders and every file, for "", "." or "/"; there are no other folders."""
        if path.strip("./"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        with cursor(db_for_read(self.alias)) as c:
            return [], catalogue.names(c)

    def size(self, name: str) -> int:
        return self.entry(name).size

    def url(self, name: str | None) -> str:
        if self.base_url is None:
            raise ValueError("This file is not accessible via a URL.")
        return urljoin(self.base_url, filepath_to_uri(name or "").lstrip("/"))

    def get_created_time(self, name: str) -> datetime:
        return _naive_unless_use_tz(self.entry(name).created_at)

    def get_modified_time(self, name: str) -> datetime:
        return _naive_unless_use_tz(self.entry(name).modified_at)

    def get_accessed_time(self, name: str) -> datetime:
        raise NotImplementedError("PostgreSQL does not record when a large object was read")

    def entry(self, name: str) -> Entry:
        """Return what the catalogue knows of a file; `FileNotFoundError` where it has none."""
        return self.locate(name)[1]

    def locate(self, name: str, content_below: int = 0) -> tuple[str, Entry]:
        """Return (the alias of a database that has the file, what the catalogue knows of it).

        The alias for writing is asked where the one for reading has no such file: it may be a
        replica that lags behind. A content of fewer than `content_below` bytes is read, too. Raises
        `FileNotFoundError`.
        """
        reader, writer = db_for_read(self.alias), db_for_write(self.alias)
        find = partial(catalogue.find, name=os.fspath(name), content_below=content_below)
        for alias in dict.fromkeys([reader, writer]):
            entry = retry_on_recovery_conflict(alias, find)
            if entry is not None:
                if alias != reader:
                    _log_fall_back(entry.loid, reader, writer)
                return alias, entry
        raise _not_found(name)


#: The storage of each field that names no other.
db_file_storage = DbFileStorage()


def _log_fall_back(loid: int, reader: str, writer: str) -> None:
    # A log gets the number only: a stored name of pg-lo-storage has the user's words in it.
    logging.getLogger("lo_storage").info(
        "Large object %s was not found in %r, and was in %r", loid, reader, writer
    )


def _not_found(name: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such file in the large object catalogue", name)


def recut(chunks: Iterable[Any]) -> Iterator[Buffer]:
    """Yield the same bytes in parts of `WRITE_SIZE`, the last one shorter; text as UTF-8."""
    part = bytearray()
    for chunk in chunks:
        data = memoryview(chunk.encode() if isinstance(chunk, str) else chunk).cast("B")
        while len(data) > WRITE_SIZE - len(part):
            room = WRITE_SIZE - len(part)
            part += data[:room]
            yield part
            data = data[room:]
            part = bytearray()
        part += data
    if part:
        yield part


def _naive_unless_use_tz(moment: datetime) -> datetime:
    return (
        moment if settings.USE_TZ else timezone.make_naive(moment, timezone.get_default_timezone())
    )
