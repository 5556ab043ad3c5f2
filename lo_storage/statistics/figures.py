"""Count what a database holds; nothing is changed, and the rows stay in the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.utils import timezone

from ..catalogue import TABLE
from ..upkeep.cleaning import unnamed
from ..upkeep.finding import Finding
from ..upkeep.naming import search
from ..upkeep.objects import uncatalogued
from ..upkeep.rows import Naming, naming_columns
from ..upkeep.staged import Staged, staged

# Of types and of the largest files, what a person reads. The rest is summed.
MOST = 20

# A file is written before the row that names it; as lo_clean has it.
YOUNG = timedelta(hours=24)

# One reading of the catalogue.
FILES = f"""
    select grouping(month), grouping(suffix), month, suffix,
           count(*), coalesce(sum(size), 0)::bigint
      from (select date_trunc('month', created_at at time zone %(zone)s)::date as month,
                   lower(substr(name, length(split_part(name, '.', 1)) + 1)) as suffix,
                   size
              from {TABLE}) as files
     group by grouping sets ((), (month), (suffix))
"""

LARGEST = f"""
    select name, original_name, size, created_at
      from {TABLE}
     order by size desc
     limit {MOST}
"""

# The owner is NULL of a file whose object is missing.
OWNERS = f"""
    select pg_get_userbyid(lomowner), count(entry.loid), coalesce(sum(size), 0)::bigint,
           count(*) filter (where entry.loid is null)
      from pg_largeobject_metadata object
      full join {TABLE} entry on entry.loid = object.oid
     group by lomowner
     order by 3 desc, 1
"""

# Each file once, however many rows of the column name it. Django's own FileField has '' for none.
FIELD = """
    with named as (
        select {column}::text as name, count(*) as rows
          from {table}
         where {column}::text <> ''
         group by 1
    )
    select coalesce(sum(rows), 0)::bigint, count(entry.loid), coalesce(sum(size), 0)::bigint
      from named
      left join {catalogue} entry on entry.name = named.name
"""

# The tables that files are in, with their indexes. No role but a superuser may read the first, and
# how large it is every role may know. What is dead is PostgreSQL's own estimate.
DISK = f"""
    select relid::regclass::text, pg_total_relation_size(relid), pg_relation_size(relid),
           n_live_tup, n_dead_tup, greatest(last_vacuum, last_autovacuum)
      from pg_stat_all_tables
     where relid in ('pg_largeobject'::regclass, 'pg_largeobject_metadata'::regclass,
                     '{TABLE}'::regclass)
     order by 2 desc, 1
"""


class Sum(NamedTuple):
    """Files that have something in common."""

    name: str
    files: int
    bytes: int


class Month(NamedTuple):
    """The files that came in a month and are still there."""

    month: date
    files: int
    bytes: int


class Largest(NamedTuple):
    name: str
    original_name: str
    bytes: int
    created_at: datetime


class Field(NamedTuple):
    """A column whose rows name files."""

    name: str  # "papers.Paper.data", or for a table without a model "public.papers.data"
    rows: int
    files: int
    bytes: int


class Table(NamedTuple):
    """What a table takes on disk."""

    name: str
    bytes: int  # with its indexes, and compressed where the server compresses
    dead_rows: int  # an estimate
    dead_bytes: int  # an estimate of what VACUUM makes free for new files
    vacuumed_at: datetime | None


class Unnamed(NamedTuple):
    """What nobody needs any more, as far as can be told."""

    files: int  # older than a day, and named by no text of the database
    bytes: int
    objects: int  # large objects that were ours, and that the catalogue does not have
    not_searched: list[str]  # what may name more: "public.papers.pickle (bytea)"


class Figures(NamedTuple):
    """What a database holds, at one moment."""

    database: str
    at: datetime
    files: int
    bytes: int
    missing: int  # files of the catalogue without their large object
    objects_of_others: int  # large objects that the catalogue does not have
    tables: list[Table]
    months: list[Month]
    types: list[Sum]  # by suffix, the largest sum first
    other_types: Sum
    fields: list[Field]
    not_looked_at: list[str]  # columns that this role may not read: "papers.Paper.data: …"
    owners: list[Sum]
    largest: list[Largest]
    unnamed: Unnamed | None  # None: it was not looked for
    staged: Staged | None  # None: lo_storage.uploads has no table here


def gather(alias: str, find_unnamed: bool = True) -> Figures:
    """Return what a database holds.

    Arguments:

    - `alias`: the database.
    - `find_unnamed`: whether to look for what nobody names, which reads each text of each table.

    One snapshot, unless there is a transaction already. About ten queries, and two for each column
    that names files. Raises `RowsElsewhere`.
    """
    with _snapshot(alias) as cursor:
        columns = naming_columns(alias)
        naming = [column for column in columns if isinstance(column, Naming)]
        files, of_month, of_type = _files(cursor)
        owners = _all(cursor, OWNERS)
        return Figures(
            database=alias,
            at=timezone.now(),
            files=files.files,
            bytes=files.bytes,
            missing=sum(count for role, count, _, _ in owners if role is None),
            objects_of_others=sum(others for *_, others in owners),
            tables=[_table(*row) for row in _all(cursor, DISK)],
            months=of_month,
            types=of_type[:MOST],
            other_types=Sum(
                "",
                sum(one.files for one in of_type[MOST:]),
                sum(one.bytes for one in of_type[MOST:]),
            ),
            fields=[_field(cursor, column) for column in naming],
            not_looked_at=[
                f"{column.where}: {column.what}"
                for column in columns
                if isinstance(column, Finding)
            ],
            owners=[Sum(role, *sums) for role, *sums, _ in owners if role is not None and sums[0]],
            largest=[Largest(*row) for row in _all(cursor, LARGEST)],
            unnamed=_unnamed(alias, naming, cursor) if find_unnamed else None,
            staged=staged(cursor),
        )


@contextmanager
def _snapshot(alias: str) -> Iterator[Any]:
    """Yield a cursor whose statements all see the same, and can change nothing."""
    is_ours = not connections[alias].in_atomic_block
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(
            "set transaction isolation level repeatable read, read only"
            if is_ours
            else "set transaction read only"
        )
        yield cursor


def _all(cursor: Any, query: str, params: Any = None) -> list[Any]:
    cursor.execute(query, params)
    return list(cursor.fetchall())


def _files(cursor: Any) -> tuple[Sum, list[Month], list[Sum]]:
    all_files, of_month, of_type = Sum("", 0, 0), [], []
    zone = timezone.get_current_timezone_name()
    for no_month, no_suffix, month, suffix, *sums in _all(cursor, FILES, {"zone": zone}):
        if not no_month:
            of_month.append(Month(month, *sums))
        elif not no_suffix:
            of_type.append(Sum(suffix, *sums))
        else:
            all_files = Sum("", *sums)
    return all_files, sorted(of_month), sorted(of_type, key=lambda one: (-one.bytes, one.name))


def _field(cursor: Any, column: Naming) -> Field:
    query = FIELD.format(table=column.table, column=column.column, catalogue=TABLE)
    ((rows, files, size),) = _all(cursor, query)
    return Field(column.label, rows, files, size)


def _table(
    name: str, size: int, size_of_rows: int, live: int, dead: int, vacuumed_at: datetime | None
) -> Table:
    return Table(name, size, dead, size_of_rows * dead // max(live + dead, 1), vacuumed_at)


def _unnamed(alias: str, naming: list[Naming], cursor: Any) -> Unnamed:
    files = unnamed(alias, timezone.now() - YOUNG)
    objects = _all(
        cursor,
        f"select count(*) from ({uncatalogued(alias, naming)}) as objects",
        {"catalogue": TABLE},
    )
    return Unnamed(
        len(files), sum(file.size for file in files), objects[0][0], search(alias).unsearchable
    )
