"""Which storage is meant, and whether two are one."""

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


def is_same(one: Storage, other: Storage) -> bool:
    """Whether two storages are in one place, as far as their options tell."""
    places = []
    for storage in (one, other):
        with suppress(NotImplementedError):
            places.append(os.path.realpath(storage.path("")))
    if len(places) == 2:
        return places[0] == places[1]
    options = [getattr(storage, "deconstruct", lambda: None)() for storage in (one, other)]
    return one is other or (options[0] is not None and options[0] == options[1])
