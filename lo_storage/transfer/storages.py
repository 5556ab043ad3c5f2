"""Which storage is meant."""

import os
from contextlib import suppress

from django.core.files.storage import FileSystemStorage, InvalidStorageError, Storage, storages

from .sources import CannotBegin


def storage_of(alias_or_folder: str, *, writing: bool) -> Storage:
    """Return the storage of an alias in STORAGES, or of a folder."""
    with suppress(InvalidStorageError):
        return storages[alias_or_folder]
    if os.path.isdir(alias_or_folder):
        return FileSystemStorage(alias_or_folder)
    if writing and os.path.dirname(alias_or_folder):
        return FileSystemStorage(alias_or_folder)
    raise CannotBegin(f"{alias_or_folder!r} is no alias of STORAGES, and no folder that is there")
