"""Compare the rows that name files with the catalogue; nothing is changed.

Each comparison is of one moment: it is one statement. So files may come and go meanwhile.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connections

from ..catalogue import TABLE
from ..names import loid_of
from .columns import columns_beside
from .finding import Finding, restore
from .reading import in_chunks, reading
from .references import reference_of

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


class Naming(NamedTuple):
    """A column whose rows name files."""

    label: str  # "papers.Paper.data", or for a table without a model "public.papers.data"
    table: str  # quoted
    column: str
    key: list[str]
    has_reference: bool


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
