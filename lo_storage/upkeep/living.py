"""Compare a large object of the database with what a backup has under its number."""

import hashlib
from typing import NamedTuple

from .. import large_objects
from ..catalogue import Entry
from ..large_objects import WRITE_SIZE, Cursor
from .backups import Saved

# A page of a large object. (A server may have been built with larger ones, and none with smaller.)
PAGE = 2048

OWNED = (
    "select pg_has_role(lomowner, 'usage') from pg_largeobject_metadata where oid = %(loid)s::oid"
)


class Living(NamedTuple):
    """The large object that has the number now."""

    is_ours: bool  # this role owns it
    sha256: str | None  # None: not read
    is_rest: bool  # it holds what the backup has, but for pages that are lost


def compare(cursor: Cursor, entry: Entry | None, saved: Saved) -> Living | None:
    """Compare the large object that has the number now with the backup's, if there is one."""
    cursor.execute(OWNED, {"loid": saved.loid})
    row = cursor.fetchone()
    if row is None:
        return None
    (is_ours,) = row
    if not is_ours or large_objects.size(cursor, saved.loid) > max(
        saved.size, entry.size if entry else 0
    ):
        return Living(is_ours, None, False)
    digest, is_rest, offset = hashlib.sha256(), True, 0
    saved.content.seek(0)
    while piece := large_objects.read(cursor, saved.loid, offset, WRITE_SIZE):
        digest.update(piece)
        offset += len(piece)
        is_rest = is_rest and _is_rest(piece, saved.content.read(len(piece)))
    return Living(True, digest.hexdigest(), is_rest)


def _is_rest(living: bytes, saved: bytes) -> bool:
    """Whether each page is the backup's, or reads as zeros, as one that is lost does."""
    return living == saved or (
        len(living) <= len(saved)
        and all(
            page == saved[start : start + len(page)] or not any(page)
            for start in range(0, len(living), PAGE)
            for page in [living[start : start + PAGE]]
        )
    )
