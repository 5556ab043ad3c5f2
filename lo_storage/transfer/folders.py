"""The folder of an export: begun, interrupted, gone on with, and whole."""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .bags import MANIFEST, TAG_MANIFEST, NotABag, inside, sha256_of
from .contents import NotAsItWas
from .index import INDEX
from .listing import Stored
from .sources import CannotBegin

# What a folder has until its export is whole: what it is, and the path of each file in it.
JOURNAL = "lo_export.part"
MAKER = "An export of lo_export --all that is not whole. Run it again, and it goes on.\n"

# What an interrupted export may have left.
OURS = {
    *(JOURNAL, f"{MANIFEST}.part", f"{INDEX}.part", "file.part", "data", MANIFEST, INDEX),
    *("bag-info.txt", "bagit.txt", TAG_MANIFEST),
}


def begin(folder: Path) -> None:
    """Make the folder, or raise `CannotBegin` where it has something else in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.iterdir()}
        if not there:
            with open(folder / JOURNAL, "x", encoding="utf-8", newline="\n") as journal:
                journal.write(MAKER)
            return
        goes_on = JOURNAL in there and _is_ours(folder / JOURNAL)
    except OSError as error:
        raise CannotBegin(f"{folder} cannot be made or read: {error.strerror}") from error
    if not goes_on:
        if "bagit.txt" in there:
            raise CannotBegin(f"{folder} has a whole export already; name another folder")
        raise CannotBegin(f"{folder} is not empty, and has no export that was interrupted")
    for name in sorted(there):
        if name not in OURS or (folder / name).is_symlink():
            raise strange(folder / name)


def _is_ours(journal: Path) -> bool:
    with open(journal, "rb") as file:
        return file.readline(len(MAKER)) == MAKER.encode()


def strange(path: Path) -> CannotBegin:
    """Return that a file is there which no export wrote."""
    return CannotBegin(f"{path} is of no export; take it out of the folder, and run it again")


def is_there(folder: Path, file: Stored) -> bool:
    """Whether a file is in the folder as it is in the database."""
    path = folder / file.path
    return (
        file.sha256 is not None
        and path.is_file()
        and path.stat().st_size == file.size
        and sha256_of(path) == file.sha256
    )


def write_one(folder: Path, file: Stored, content: Iterable[bytes]) -> str:
    """Write a file, which appears when it is whole; return the SHA-256 of it."""
    digest, size = hashlib.sha256(), 0
    part = folder / "file.part"
    with open(part, "wb") as out:
        for chunk in content:
            digest.update(chunk)
            size += out.write(chunk)
    if size != file.size:
        raise NotAsItWas(f"it has {size:,} bytes, and by the catalogue {file.size:,}")
    os.utime(part, (file.modified_at.timestamp(), file.modified_at.timestamp()))
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, path)
    return digest.hexdigest()


def delete_others(folder: Path, before: set[str], written: set[str]) -> None:
    """Delete what an interrupted export wrote and the database has no more.

    Raises `CannotBegin` for what no export wrote.
    """
    for path in before - written:
        with suppress(NotABag):
            inside(folder, path).unlink()
    for found in sorted((folder / "data").rglob("*"), reverse=True):
        if found.is_dir() and not found.is_symlink():
            with suppress(OSError):  # It is not empty.
                found.rmdir()
        elif found.relative_to(folder).as_posix() not in written:
            raise strange(found)
