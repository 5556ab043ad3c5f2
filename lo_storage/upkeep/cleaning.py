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
from .naming import Search, search

# Each unlink holds a lock until the commit, and PostgreSQL's default lock table has 6,400.
BATCH = 1000

# Each table that is read is locked, with its indexes, until the statement ends.
TABLES = 200

# The catalogue itself names no file: with it there is always something to select from. A number of
# more digits than were looked for is younger than the search, and its file stays.
UNNAMED = """
    with key (key) as materialized (select name from {table} where false {keys}),
         number (loid) as materialized (
             select loid::bigint from {table} where false {numbers}
         )
    select name, size, original_name
      from {table} entry
     where not exists (select from key where key = loid::text || '.')
       and not exists (select from key where key = loid::text and name !~ '^[0-9]+[.][^0-9]')
       and not exists (select from number where number.loid = entry.loid::bigint)
       and length(loid::text) between {fewest} and {most}
       and created_at < coalesce(%s::timestamptz, 'infinity')
       and name = any (coalesce(%s::text[], array[name]))
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

    One query for 200 tables, which reads each of their texts; two to know where texts are; and
    those of the callables. `naming.search(alias).unsearchable` tells what it cannot read. Raises
    `RowsElsewhere`.
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
    found: list[Unnamed] = []
    queries = [("keys", query) for query in found_by.keys]
    queries += [("numbers", query) for query in found_by.numbers]
    for some in batched(queries, TABLES):
        unions = {
            kind: "".join(f" union all {query}" for of, query in some if of == kind)
            for kind in ("keys", "numbers")
        }
        query = UNNAMED.format(
            table=TABLE,
            fewest=found_by.fewest,
            most=found_by.most,
            **{kind: union.replace("%", "%%") for kind, union in unions.items()},
        )
        with connections[alias].cursor() as cursor:
            cursor.execute(query, [before, names])
            found = [Unnamed(*row) for row in cursor.fetchall()]
        names = [file.name for file in found]
    return found


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
