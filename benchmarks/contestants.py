"""What a user could pick to keep files in, all with the same four methods."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
from dbfiles.storage import DBStorage
from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db import transaction
from pg_lo_storage.storage import DbFileStorage as OldStorage

from lo_storage.storage import DbFileStorage

from .models import Blob
from .stage import GiB, MiB

OURS = "lo_storage"
OLD = "pg-lo-storage 0.2.2"
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


class Psycopg2(Contestant):
    """No storage: the file object of the older driver, with the pieces that suit it best."""

    needs_transaction = True

    def __init__(self, name: str) -> None:
        self.name = name
        server = settings.DATABASES["default"]
        self.connection = psycopg2.connect(
            host=server["HOST"], port=server["PORT"], user=server["USER"], dbname=server["NAME"]
        )

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
    DRIVER: lambda name, folder: Psycopg2(name),
    BINARY_FIELD: lambda name, folder: BinaryField(name),
    DBFILES: lambda name, folder: FileInColumn(name, DBStorage()),
    FILES: lambda name, folder: SyncedFiles(name, folder / "files"),
}


@cache
def make(name: str, folder: Path) -> Contestant:
    return MAKERS[name](name, folder)
