"""Compare rows, catalogue and large objects with each other; nothing is changed.

Each comparison is of one moment: it is one statement. So files may come and go meanwhile.
"""

import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from django.db import Error, connections

from ..catalogue import TABLE
from ..large_objects import INV_READ
from ..names import loid_of
from .columns import columns_beside
from .finding import Finding
from .naming import search
from .reading import at_once, damage, in_chunks, reading
from .references import reference_of

# How many files one statement looks at. Measured: from 10,000 on it takes no longer for each.
FILES = 20_000

RESTORE = "Bring it back from a backup by manage.py lo_restore {}"
ADOPT = "Adopt it: manage.py lo_adopt"

# The columns with a foreign key to the catalogue, also those of tables that no model describes.
# The key of a partition is that of the whole table.
NAMING = """
    select class.oid::bigint, class.oid::regclass::text, attname
      from pg_constraint
      join pg_class class on class.oid = conrelid
      join pg_attribute on attrelid = conrelid and attnum = conkey[1]
     where contype = 'f' and conparentid = 0
       and confrelid = %(catalogue)s::regclass
       and confkey = array(select attnum from pg_attribute
                            where attrelid = confrelid and attname = 'name')
"""

# Where a column of a model is, its table's key, and whether this role sees all of it.
COLUMN = """
    select class.oid::bigint, attname, quote_ident(attname),
           array(select quote_ident(key.attname)
                   from pg_index
                   join pg_attribute key on key.attrelid = indrelid and key.attnum = any (indkey)
                  where indrelid = class.oid and indisprimary
                  order by array_position(indkey::int2[], key.attnum)),
           has_schema_privilege(relnamespace, 'usage')
           and has_table_privilege(class.oid, 'select'),
           row_security_active(class.oid)
      from pg_class class
      join pg_attribute on attrelid = class.oid
     where class.oid = to_regclass(%(table)s)
       and attname = %(column)s
       and attnum > 0 and not attisdropped
"""

ROWS = """
    select concat_ws(', ', null{key}), naming.{column}::text
      from {table} naming
     where naming.{column} is not null
       and not exists (select from {catalogue} entry where entry.name = naming.{column}::text)
"""

OBJECTS = f"""
    select object.oid::bigint, entry.name
      from pg_largeobject_metadata object
      left join {TABLE} entry on entry.loid = object.oid
     where object.oid = any (%s::oid[])
"""

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


class Naming(NamedTuple):
    """A column whose rows name files."""

    label: str  # "papers.Paper.data", or for a table without a model "public.papers.data"
    table: str  # quoted
    column: str
    key: list[str]
    has_reference: bool


def restore(name: str) -> str:
    """Return how to get a file back."""
    return RESTORE.format(shlex.quote(name))


def naming_columns(alias: str) -> list[Naming | Finding]:
    """Return each column that names files of a database, and what cannot be looked at.

    They are the file columns of the installed models, and what else has a foreign key to the
    catalogue. Raises `RowsElsewhere`.
    """
    quote = connections[alias].ops.quote_name
    columns = [
        (
            f"{model._meta.label}.{field.name}",
            quote(model._meta.db_table),
            field.column,
            reference_of(field) is not None,
        )
        for model, field in columns_beside(alias)
    ]
    naming: list[Naming | Finding] = []
    known = set()
    with reading(alias) as cursor:
        for label, table, column, has_reference in columns:
            cursor.execute(COLUMN, {"table": table, "column": column})
            found = cursor.fetchone()
            known.add(found and found[:2])
            naming.append(_naming(label, table, column, found, has_reference))
        cursor.execute(NAMING, {"catalogue": TABLE})
        for number, table, column in cursor.fetchall():
            cursor.execute(COLUMN, {"table": table, "column": column})
            found = cursor.fetchone()
            if (number, column) not in known:
                naming.append(_naming(f"{table}.{column}", table, column, found, True))
    return naming


def _naming(
    label: str, table: str, column: str, found: Any, has_reference: bool
) -> Naming | Finding:
    if found is None:
        what = f"there is no column {column} of {table}"
        return Finding("unknown", "unreadable", label, what, "Run manage.py migrate")
    _, _, quoted, key, may_read, hides_rows = found
    if not may_read or hides_rows:
        what = "this role may not read it" if not may_read else "row-level security hides rows"
        mend = "Run lo_check as a role that sees all of its rows"
        return Finding("unknown", "unreadable", label, what, mend)
    return Naming(label, table, quoted, key, has_reference)


def check_rows(alias: str, column: Naming) -> Iterator[Finding]:
    """Yield the rows of a column that name what the catalogue lacks."""
    key = "".join(f", naming.{part}::text" for part in column.key)
    query = ROWS.format(table=column.table, column=column.column, key=key, catalogue=TABLE)
    for rows in in_chunks(alias, query):
        loids = {name: loid_of(name) for _, name in rows}
        with reading(alias) as cursor:
            cursor.execute(OBJECTS, [[loid for loid in loids.values() if loid is not None]])
            objects = dict(cursor.fetchall())
        for row, name in rows:
            if name == "" and not column.has_reference:
                continue  # Django's own FileField has '' for no file.
            yield _row_without_file(column, row, name, loids[name], objects)


def _row_without_file(
    column: Naming, row: str, name: str, loid: int | None, objects: dict[int, str | None]
) -> Finding:
    where = f"{column.label}, row {row}" if row else column.label
    lacks = f"names {name}, which the catalogue does not have"
    if name == "":
        kind, what, mend = "row-not-adopted", "has '' for no file", ADOPT
    elif loid is None:
        kind, what = "row-without-file", lacks
        mend = "It is no name that the library gives: look on disk, and store the file here"
    elif loid not in objects:
        kind, what = "row-without-file", lacks
        mend = f"{restore(name)}, or make the row name nothing: manage.py lo_mend rows"
    elif objects[loid] is None:
        kind, what, mend = "row-not-adopted", f"{lacks}; its large object is there", ADOPT
    else:
        kind, what = "row-not-adopted", lacks
        mend = f"The catalogue has the object as {objects[loid]}: make the row name that"
    return Finding("error", kind, where, what, mend, name, row or None)


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
        f"{RESTORE}, and look after the disk",
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
