"""Bring back files that are missing or damaged, from what a backup has of them.

Nothing is overwritten that may be another application's: the file gets another number then, and the
rows that name it get its new name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from django.db import Error, connections, transaction

from .. import large_objects
from ..catalogue import FREE, TABLE, Entry
from ..database import cursor
from ..large_objects import WRITE_SIZE
from ..names import loid_of
from .backups import Saved
from .living import compare
from .mending import HIDDEN
from .naming import claimed
from .rows import Naming, naming_columns

ENTRY = f"""
    select loid, name, original_name, size, sha256, version, created_at, modified_at
      from {TABLE}
     where loid = %(loid)s::oid
       for update
"""

NAMED = "select count(*) from (select from {table} where {column}::text = %(name)s for update) rows"

RENAME = "update {table} set {column} = %(new_name)s where {column}::text = %(name)s"

CREATE = "select lo_create(%(number)s::oid)"

# A version and its time stay with their content.
UPDATE = f"""
    update {TABLE}
       set loid = %(number)s::oid, name = %(new_name)s, size = %(size)s, sha256 = %(sha256)s,
           version = version + case when %(is_other)s then 1 else 0 end,
           modified_at = case when %(is_other)s then clock_timestamp() else modified_at end
     where loid = %(loid)s::oid
"""

INSERT = f"""
    insert into {TABLE}
           (loid, name, original_name, size, sha256, version, created_at, modified_at)
    values (%(number)s::oid, %(new_name)s, %(original_name)s, %(size)s, %(sha256)s,
            %(version)s, coalesce(%(created_at)s, clock_timestamp()),
            coalesce(%(modified_at)s, clock_timestamp()))
"""

UNNAMED = (
    "no row names it, and nor does the catalogue: write it to a folder by --output, and store it"
    " again from there"
)
UNKNOWN = "nothing tells what its SHA-256 was: --force takes what the backup has"


class Restored(NamedTuple):
    """What became of a file, or would: it came back, was there all the time, or did not come."""

    name: str
    what: str
    outcome: Literal["restored", "well", "refused"]


def restore(alias: str, name: str, saved: Saved, *, apply: bool, force: bool = False) -> Restored:
    """Bring a file back, in a transaction of its own, if `apply` is true; else say what would be.

    Arguments:

    - `name`: its stored name, or its number.
    - `saved`: what the backup has under this number.
    - `force`: also where its SHA-256 is unknown, or another one.
    """
    try:
        with transaction.atomic(using=alias):
            return _restore(alias, name, saved, apply, force)
    except (Error, OSError) as error:
        return Restored(name, str(error).splitlines()[0], "refused")


def write_out(folder: Path, name: str, saved: Saved, *, force: bool = False) -> Restored:
    """Write what a backup has of a file into a folder, under its stored name. Raises `OSError`."""
    if saved.entry and name == str(saved.loid):
        name = saved.entry.name
    if loid_of(name) != saved.loid:
        return Restored(name, _no_name(saved), "refused")
    expected = saved.entry and saved.entry.sha256
    if expected not in (None, saved.sha256) and not force:
        return Restored(name, _other(saved, expected), "refused")
    path = folder / name
    try:
        with path.open("xb") as file:
            for piece in _pieces(saved):
                file.write(piece)
    except FileExistsError:
        return Restored(name, f"{path} is there already", "refused")
    called = f", which was called {saved.entry.original_name!r}" if saved.entry else ""
    return Restored(name, f"is in {path}, {saved.size:,} bytes{called}", "restored")


def _restore(alias: str, name: str, saved: Saved, apply: bool, force: bool) -> Restored:
    loid, columns = saved.loid, naming_columns(alias)
    with cursor(alias) as c:
        c.execute(ENTRY, {"loid": loid})
        row = c.fetchone()
        entry = Entry(*row) if row else None
        if entry and name not in (entry.name, str(loid)):
            return Restored(name, f"the catalogue has the object as {entry.name}", "refused")
        if name == str(loid) and (known := entry or saved.entry):
            name = known.name
        if loid_of(name) != loid:
            return Restored(name, _no_name(saved), "refused")
        living = compare(c, entry, saved)
    if entry and living and living.sha256 == (entry.sha256 or saved.sha256):
        return Restored(name, "is there as it was stored: nothing is to be done", "well")

    named = [one for one in columns if isinstance(one, Naming)]
    if not _rows(alias, NAMED, named, {"name": name}) and not entry:
        return Restored(name, UNNAMED, "refused")
    expected = _expected(name, entry, saved)
    if expected != saved.sha256 and not force:
        what = UNKNOWN if expected is None else _other(saved, expected)
        return Restored(name, what, "refused")

    number, is_there = loid, living is not None and living.sha256 == saved.sha256
    if living and not (
        living.is_ours and (is_there or living.is_rest) and not claimed(alias, [loid])
    ):
        if len(named) < len(columns):
            return Restored(name, HIDDEN, "refused")
        number, is_there = _free(alias), False
    new_name = f"{number}{name.removeprefix(str(loid))}"
    what = f"comes back, {saved.size:,} bytes"
    if number != loid:
        what = (
            f"{what}, under another number, and rows name it so, because large object {loid} may be"
            f" another application's"
        )
    if apply:
        if not is_there:
            _write(alias, number, saved, replace=living is not None and number == loid)
        _catalogue(alias, loid, number, new_name, entry, saved, is_other=expected != saved.sha256)
        if number != loid:
            _rows(alias, RENAME, named, {"name": name, "new_name": new_name})
            what = f"{what}: {new_name}"
    return Restored(name, what, "restored")


def _expected(name: str, entry: Entry | None, saved: Saved) -> str | None:
    """Return the SHA-256 that the file has had, as the catalogue knows it, or the backup's."""
    if entry and entry.sha256:
        return entry.sha256
    if saved.entry is None or saved.entry.name != name:
        return None
    is_same = entry is None or (entry.version, entry.created_at) == (
        saved.entry.version,
        saved.entry.created_at,
    )
    return saved.entry.sha256 if is_same else None


def _other(saved: Saved, expected: str | None) -> str:
    return (
        f"the backup has another content: its SHA-256 is {saved.sha256}, and was {expected} when"
        " the file was stored; --force takes it all the same"
    )


def _no_name(saved: Saved) -> str:
    return f"it is no name of large object {saved.loid}"


def _free(alias: str) -> int:
    with cursor(alias) as c:
        c.execute(FREE)
        (number,) = c.fetchone()
    return int(number)


def _rows(alias: str, query: str, columns: list[Naming], params: dict[str, str]) -> int:
    """Run a query about the rows of a name, in each column; return how many there are."""
    rows = 0
    with connections[alias].cursor() as c:
        for column in columns:
            table, name = column.table.replace("%", "%%"), column.column.replace("%", "%%")
            c.execute(query.format(table=table, column=name), params)
            rows += c.fetchone()[0] if query is NAMED else c.rowcount
    return rows


def _write(alias: str, number: int, saved: Saved, *, replace: bool) -> None:
    with cursor(alias) as c:
        if replace:
            large_objects.unlink(c, number)
        c.execute(CREATE, {"number": number})
        offset = 0
        for piece in _pieces(saved):
            large_objects.write(c, number, offset, piece)
            offset += len(piece)


def _catalogue(
    alias: str,
    loid: int,
    number: int,
    new_name: str,
    entry: Entry | None,
    saved: Saved,
    *,
    is_other: bool,
) -> None:
    known = saved.entry
    values: dict[str, Any] = {
        "loid": loid,
        "number": number,
        "new_name": new_name,
        "size": saved.size,
        "sha256": saved.sha256,
        "is_other": is_other,
        "original_name": known.original_name if known else "",
        "version": known.version + is_other if known else 1,
        "created_at": known.created_at if known else None,
        "modified_at": known.modified_at if known and not is_other else None,
    }
    with connections[alias].cursor() as c:
        c.execute(UPDATE if entry else INSERT, values)


def _pieces(saved: Saved) -> Iterator[bytes]:
    saved.content.seek(0)
    return iter(lambda: saved.content.read(WRITE_SIZE), b"")
