"""What a user could pick to keep files in, all with the same four methods."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
from dbfiles.storage import DBStorage
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.backends.signals import connection_created
from pg_lo_storage.storage import DbFileStorage as OldStorage

from lo_storage.storage import DbFileStorage

from .models import Blob
from .stage import GiB, KiB, MiB

OURS = "lo_storage"
OLD = "pg-lo-storage 0.2.2"
ALONE = "psycopg alone"
DRIVER = "psycopg2 lobject"
BINARY_FIELD = "BinaryField"
DBFILES = "django-dbfiles 3.2"
FILES = "files with fsync"

_numbers = count(1)


class Contestant:
    """A `Storage` on the database "default"; the names of the methods are Django's."""

    largest = 4096 * GiB
    needs_transaction = False  # to do anything at all

    def __init__(self, name: str, storage: Storage) -> None:
        self.name = name
        self.storage = storage

    def atomic(self) -> AbstractContextManager[Any]:
        return transaction.atomic()

    def alone(self) -> AbstractContextManager[Any]:
        """What one operation needs around it when the user opens no transaction."""
        return self.atomic() if self.needs_transaction else self.nothing()

    def nothing(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def save(self, content: File) -> Any:
        return self.storage.save(f"{next(_numbers)}.bin", content)

    def open(self, name: Any) -> File:
        return self.storage.open(name)

    def delete(self, name: Any) -> None:
        self.storage.delete(name)


class OldLibrary(Contestant):
    needs_transaction = True  # its descriptors end with the transaction


class FileInColumn(Contestant):
    # A statement ends at 1 GiB and its bytes are in hexadecimal: 512 MiB would be the end, and one
    # MiB from anywhere in 128 MiB takes a second already.
    largest = 100 * MiB


class BinaryField(FileInColumn):
    def __init__(self, name: str) -> None:
        self.name = name

    def save(self, content: File) -> Any:
        return Blob.objects.create(content=content.read()).pk

    def open(self, name: Any) -> File:
        return ContentFile(Blob.objects.get(pk=name).content)

    def delete(self, name: Any) -> None:
        Blob.objects.filter(pk=name).delete()


class Psycopg(Contestant):
    """The limit: the driver sends the same bytes in as few statements, and does nothing else."""

    def __init__(self, name: str) -> None:
        self.name = name

    def save(self, content: File) -> Any:
        with transaction.atomic() if content.size > MiB else nullcontext():
            (loid,) = _ask("select lo_from_bytea(0, %b)", content.read(MiB))
            for position in range(MiB, content.size, MiB):
                _ask("select lo_put(%s::oid, %s::int8, %b)", loid, position, content.read(MiB))
        return loid

    def open(self, name: Any) -> File:
        return LargeObject(name)

    def delete(self, name: Any) -> None:
        _ask("select lo_unlink(%s::oid)", name)


ROW = 128 * KiB  # the fastest, of what was tried
_READ = """
    select lo_get(%s::oid, start, %s::int4)
      from generate_series(%s::int8, %s::int8, %s::int8) as start
"""


class LargeObject(File):
    """A large object, read by `lo_get`."""

    DEFAULT_CHUNK_SIZE = MiB

    def __init__(self, loid: int) -> None:
        self.loid, self.position = loid, 0

    def seek(self, position: int) -> int:
        self.position = position
        return position

    def read(self, size: int | None = None) -> bytes:
        if size is None:
            return _ask("select lo_get(%s::oid)", self.loid)[0]
        return b"".join(self._rows(size))

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        while any(rows := self._rows(MiB)):
            yield from rows

    def _rows(self, size: int) -> list[bytes]:
        start, self.position = self.position, self.position + size
        last = self.position - 1
        return _ask(_READ, self.loid, ROW, start, last, ROW)

    def close(self) -> None:
        pass


def _ask(sql: str, *parameters: object) -> list[Any]:
    connection.ensure_connection()
    cursor = psycopg.Cursor(connection.connection)
    return [value for (value,) in cursor.execute(sql, parameters, binary=True)]


class Psycopg2(Contestant):
    """No storage: the file object of the older driver, with the pieces that suit it best."""

    needs_transaction = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._connect()
        connection_created.connect(self._connect)  # again when Django does, to another place

    def _connect(self, connection: Any = None, **_: object) -> None:
        if connection is None or connection.alias == DEFAULT_DB_ALIAS:
            self.connection = psycopg2.connect(user="app", dbname="bench")

    def atomic(self) -> AbstractContextManager[Any]:
        return self.connection  # commits at the end, and stays open

    def save(self, content: File) -> Any:
        object = self.connection.lobject(0, "wb")
        for chunk in content.chunks(MiB):
            object.write(chunk)
        object.close()
        return object.oid

    def open(self, name: Any) -> File:
        return _MiBFile(self.connection.lobject(name, "rb"), str(name))

    def delete(self, name: Any) -> None:
        self.connection.lobject(name, "n").unlink()


class _MiBFile(File):
    DEFAULT_CHUNK_SIZE = MiB


class SyncedFiles(Contestant):
    """The file system, as durable as a commit."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, _SyncedStorage(folder))

    def atomic(self) -> AbstractContextManager[Any]:
        return self.nothing()


class _SyncedStorage(FileSystemStorage):
    def _save(self, name: str, content: File) -> str:
        name = super()._save(name, content)
        _sync(self.path(name))
        _sync(self.location)
        return name

    def delete(self, name: str) -> None:
        super().delete(name)
        _sync(self.location)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


MAKERS: dict[str, Callable[[str, Path], Contestant]] = {
    OURS: lambda name, folder: Contestant(name, DbFileStorage()),
    OLD: lambda name, folder: OldLibrary(name, OldStorage()),
    ALONE: lambda name, folder: Psycopg(name),
    DRIVER: lambda name, folder: Psycopg2(name),
    BINARY_FIELD: lambda name, folder: BinaryField(name),
    DBFILES: lambda name, folder: FileInColumn(name, DBStorage()),
    FILES: lambda name, folder: SyncedFiles(name, folder / "files"),
}


@cache
def make(name: str, folder: Path) -> Contestant:
    return MAKERS[name](name, folder)
