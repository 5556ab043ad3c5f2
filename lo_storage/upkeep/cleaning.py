"""Find the files that nobody names, and delete them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import batched
from typing import Any, NamedTuple

from django.conf import settings
from django.db import IntegrityError, ProgrammingError, connections, transaction
from django.utils.module_loading import import_string

from ..catalogue import TABLE
from .columns import columns_beside
from .naming import TABLES, Search, numbers_in, search
from .searching import DOT, Sought, strike_all

# Each unlink holds a lock until the commit, and PostgreSQL's default lock table has 6,400.
BATCH = 1000

# What is looked for, some of it in a row of the result: what one value holds has a limit.
KEYS = """
    select string_agg(
               loid::text || case when name ~ '^[0-9]+[.][^0-9]' then {dot} else '' end, ' '
           )
      from {table}
     where true {conditions}
     group by loid::bigint / 100000
"""

FILES = f"""
    select name, size, original_name
      from {TABLE}
     where loid = any (%s::oid[])
     order by loid
"""

DELETE = f"delete from {TABLE} where name = any (%s)"


class Unnamed(NamedTuple):
    """A file that nobody names."""

    name: str
    size: int
    original_name: str


class Deletion(NamedTuple):
    """What became of some files."""

    deleted: int
    refused: dict[str, str]  # why the others are still there, by name


def unnamed(
    alias: str, before: datetime | None = None, names: list[str] | None = None
) -> list[Unnamed]:
    """Return the files that nothing in a database names, and none of the project's callables.

    Arguments:

    - `alias`: the database.
    - `before`: only files that were created before (None: all).
    - `names`: only files of these names (None: all).

    One query for 200 tables, which reads each of their texts; some to know where texts are, and
    which files there are; and those of the callables. `naming.search(alias).unsearchable` tells
    what it cannot read. Raises `RowsElsewhere`.
    """
    columns_beside(alias)
    found = _found(alias, search(alias), before, names)
    for batch in batched([file.name for file in found], BATCH):
        named = set(_named_by_project(alias, list(batch)))
        found = [file for file in found if file.name not in named]
    return found


def delete_unnamed(alias: str, names: Iterable[str]) -> Iterator[Deletion]:
    """Delete the files of these names that still nobody names, and yield what became of each 1,000.

    A thousand is one transaction. Where it fails, for a file that a row has begun to name or that
    another role owns, each of its files is one. Raises `RowsElsewhere`.
    """
    for batch in batched(names, BATCH):
        found = [file.name for file in unnamed(alias, names=list(batch))]
        try:
            yield Deletion(_delete(alias, found), {})
        except (IntegrityError, ProgrammingError):
            yield _delete_one_by_one(alias, found)


def _found(
    alias: str, found_by: Search, before: datetime | None, names: list[str] | None
) -> list[Unnamed]:
    # What comes from now on is not among what is looked for, and its file stays.
    sought = Sought(_keys(alias, before, names))
    for some in batched(found_by.texts, TABLES):
        strike_all(alias, some, sought)
    left = sought.left()
    left = list(set(left) - numbers_in(alias, found_by.numbers, left))
    with connections[alias].cursor() as cursor:
        cursor.execute(FILES, [left])
        return [Unnamed(*row) for row in cursor.fetchall()]


def _keys(alias: str, before: datetime | None, names: list[str] | None) -> list[bytes]:
    """Return what is looked for, as `Sought` takes it."""
    # A condition that is always true would be taken for one that few files fulfil.
    is_older = "" if before is None else "and created_at < %(before)s"
    is_one_of_them = "" if names is None else "and name = any (%(names)s)"
    query = KEYS.format(
        table=TABLE, dot=f"'{DOT.decode()}'", conditions=f"{is_older} {is_one_of_them}"
    )
    with connections[alias].cursor() as cursor:
        cursor.execute(query, {"before": before, "names": names})
        return [key for (keys,) in cursor.fetchall() for key in keys.encode().split()]


def _named_by_project(alias: str, names: list[str]) -> Iterator[str]:
    """Yield those of the names that the callables in PG_LO_STORAGE_NAMED_BY know."""
    for path in getattr(settings, "PG_LO_STORAGE_NAMED_BY", ()):
        named_by: Any = import_string(path)
        yield from named_by(alias, names)


def _delete(alias: str, names: list[str]) -> int:
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(DELETE, [names])
        return int(cursor.rowcount)


def _delete_one_by_one(alias: str, names: list[str]) -> Deletion:
    deleted, refused = 0, {}
    for name in names:
        try:
            deleted += _delete(alias, [name])
        except (IntegrityError, ProgrammingError) as error:
            refused[name] = str(error).splitlines()[0]
    return Deletion(deleted, refused)
