"""Compare the catalogue with the large objects; nothing is changed.

Each comparison is of one moment: it is one statement. So files may come and go meanwhile.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from django.db import Error

from ..catalogue import TABLE
from ..large_objects import INV_READ
from .finding import Finding, restore
from .naming import search
from .reading import at_once, damage, in_chunks, reading
from .rows import Naming

# How many files one statement looks at. Measured: from 10,000 on it takes no longer for each.
FILES = 20_000

# The last file of each part, and how many there are.
PARTS = f"""
    select max(loid)::bigint, count(*)
      from (select loid, (row_number() over (order by loid) - 1) / %(files)s as part
              from {TABLE}) as files
     group by part
     order by part
"""

# A size needs a descriptor, which is closed before the next one is opened: it is looked for in a
# list. PostgreSQL refuses to open what a role may not read, and would end the statement.
FILES_OF_PART = f"""
    with opened as (
        select entry.loid, entry.name, entry.size, object.oid is not null as is_there,
               pg_get_userbyid(object.lomowner) as owner,
               is_ours, case when is_ours then lo_open(object.oid, {INV_READ}) end as fd
          from {TABLE} entry
          left join pg_largeobject_metadata object
            on object.oid = entry.loid
               and object.oid > %(after)s::oid and object.oid <= %(last)s::oid
         cross join lateral (
             select current_setting('lo_compat_privileges')::boolean
                    or pg_has_role(object.lomowner, 'usage')
         ) as of_owner (is_ours)
         where entry.loid > %(after)s::oid and entry.loid <= %(last)s::oid
        offset 0
    ), measured as (
        select *, lo_lseek64(fd, 0, 2) as measured from opened offset 0
    )
    select loid::bigint, name, size, owner, is_ours, measured
      from measured
     where lo_close(fd) <> 0 or not is_there or not is_ours or measured <> size
     order by loid
"""

# Ours is what this role owns, or the owner of the catalogue, and no column of type oid has: of what
# another application keeps, one must have it, or vacuumlo deletes it.
UNCATALOGUED = """
    with candidate as materialized (
        select oid, lomowner
          from pg_largeobject_metadata object
         where lomowner in (select relowner from pg_class where oid = %(catalogue)s::regclass
                             union select oid from pg_roles where rolname = current_user)
           and not exists (select from {catalogue} entry where entry.loid = object.oid)
    )
    select oid::bigint, pg_get_userbyid(lomowner)
      from candidate
     where not exists (select from (select null::bigint {numbers}) number (loid)
                        where number.loid = candidate.oid::bigint)
       and not exists (select from (select null::text {names}) named (loid)
                        where named.loid = candidate.oid::text)
"""


NAME = f"select name from {TABLE} where loid = %s::oid"


class Part(NamedTuple):
    """Files that one statement looks at."""

    after: int  # the number of the file before the first
    last: int
    files: int


def parts(alias: str) -> list[Part]:
    """Return the catalogue in parts."""
    with reading(alias) as cursor:
        cursor.execute(PARTS, {"files": FILES})
        rows = [(0, 0), *cursor.fetchall()]
    return [Part(after, last, files) for (after, _), (last, files) in pairwise(rows)]


def check_files(
    alias: str, parts: list[Part], jobs: int, done: Callable[[int], None]
) -> Iterator[Finding]:
    """Yield the files whose object is missing, broken, of another size, or another role's.

    Arguments:

    - `parts`: those of `parts()`.
    - `jobs`: how many are looked at at once.
    - `done`: is told how many files were looked at.
    """

    def look(part: Part) -> tuple[int, list[Finding]]:
        return part.files, _files(alias, part.after, part.last)

    for files, findings in at_once(jobs, look, parts, alias):
        yield from findings
        done(files)


def _files(alias: str, after: int, last: int) -> list[Finding]:
    """Return what is wrong with some files. Where the server cannot read one, it looks for it."""
    try:
        with reading(alias) as cursor:
            cursor.execute(FILES_OF_PART, {"after": after, "last": last})
            return [_file(*row) for row in cursor.fetchall()]
    except Error as error:
        what = damage(error)
    if last - after > 1:
        middle = (after + last) // 2
        return [*_files(alias, after, middle), *_files(alias, middle, last)]
    with reading(alias) as cursor:
        cursor.execute(NAME, [last])
        return [broken(name, "size", what) for (name,) in cursor.fetchall()]


def broken(name: str, part: str, what: str) -> Finding:
    """Return the finding of a file that the server cannot read, as of a page that is damaged."""
    return Finding(
        "error",
        "broken-content",
        name,
        f"its {part} cannot be read: {what}",
        f"{restore(name)}, and look after the disk",
        name,
    )


def _file(
    loid: int, name: str, size: int, owner: str | None, is_ours: bool | None, measured: int | None
) -> Finding:
    if owner is None:
        return Finding(
            "error",
            "file-without-object",
            name,
            "the catalogue has it, and there is no large object of this number, which the next"
            " upload or another application may get",
            f"{restore(name)}, or let go of it: manage.py lo_mend files",
            name,
        )
    if not is_ours:
        return Finding(
            "error",
            "wrong-owner",
            name,
            f"its large object is owned by {owner}, and this role cannot delete it",
            "Give it to this role, as a superuser: manage.py lo_mend owners",
            name,
        )
    return Finding(
        "error",
        "wrong-size",
        name,
        f"the catalogue says {size:,} bytes, and its large object has {measured:,}",
        f"{restore(name)}; the object may be another application's",
        name,
    )


def check_objects(alias: str, columns: list[Naming]) -> Iterator[Finding]:
    """Yield the large objects that were ours and that the catalogue lacks.

    Arguments:

    - `columns`: those that name files. What one of them names is told with its row.
    """
    for chunk in in_chunks(alias, uncatalogued(alias, columns), {"catalogue": TABLE}):
        for loid, owner in chunk:
            yield Finding(
                "error",
                "object-without-file",
                f"large object {loid}",
                f"the catalogue does not have it, no column of type oid does, and {owner} owns it",
                "Catalogue it, so that lo_clean lists it: manage.py lo_mend objects",
                str(loid),
            )


def uncatalogued(alias: str, columns: list[Naming]) -> str:
    """Return the query of (number, owner) of each object that was ours and has no row."""
    numbers = "".join(f" union all {query}" for query in search(alias).numbers)
    names = "".join(
        f" union all select split_part({column.column}::text, '.', 1) from {column.table}"
        for column in columns
    )
    return UNCATALOGUED.format(
        catalogue=TABLE, numbers=numbers.replace("%", "%%"), names=names.replace("%", "%%")
    )
