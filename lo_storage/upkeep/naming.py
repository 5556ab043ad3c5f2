"""Which files the rows of a database name, asked of the database and not of the models.

A false match keeps a file, and a miss destroys one. So whatever can hold a name is searched: each
text of each table of each schema, whether a model describes it or not. In a text a name may stand
anywhere, and next to anything: "/papers/16418.pdf", "%2216418.pdf%22", "2024010116418.pdf".
"""

from collections.abc import Collection
from typing import NamedTuple

from django.db import connections

from ..catalogue import TABLE

# Between which numbers those of the catalogue are.
RANGE = f"select min(loid)::bigint, max(loid)::bigint from {TABLE}"

# The columns that can hold a name or the number of an object, and why one cannot be searched. What
# holds none is left out: dates and the like, and numbers but those of type oid and of a foreign key
# to the catalogue, which may be of another type. A partition and a view have the rows of other
# tables; a materialized view has its own, or none yet.
COLUMNS = """
    with recursive part(type, oid) as (
        select oid, oid from pg_type
         union all
        select part.type, case typtype when 'd' then typbasetype else typelem end
          from part
          join pg_type on pg_type.oid = part.oid
         where typtype = 'd' or (typcategory = 'A' and typelem <> 0)
    ), leaf(type, oid) as (
        select part.type, part.oid
          from part
          join pg_type on pg_type.oid = part.oid
         where typtype <> 'd' and not (typcategory = 'A' and typelem <> 0)
    )
    select quote_ident(nspname) || '.' || quote_ident(relname),
           quote_ident(attname),
           of_leaf.typcategory,
           type.oid <> leaf.oid and type.typtype <> 'd',
           case when not has_schema_privilege(namespace.oid, 'usage')
                  or not has_column_privilege(class.oid, attnum, 'select')
                then 'this role may not read it'
                when row_security_active(class.oid) then 'row-level security hides rows of it'
                when relkind = 'f' then 'it is in another database'
                when leaf.oid = 'bytea'::regtype then 'bytea'
                when of_leaf.typtype = 'c' then 'a composite type' end
      from pg_attribute
      join pg_class class on class.oid = attrelid
      join pg_namespace namespace on namespace.oid = relnamespace
      join pg_type type on type.oid = atttypid
      join leaf on leaf.type = atttypid
      join pg_type of_leaf on of_leaf.oid = leaf.oid
     where attnum > 0
       and not attisdropped
       and relkind in ('r', 'p', 'f', 'm')
       and not relispartition
       and relpersistence <> 't'
       and relispopulated
       and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
       and class.oid <> %(catalogue)s::regclass
       and (of_leaf.typcategory not in ('B', 'D', 'G', 'I', 'N', 'T', 'V')
            or leaf.oid = 'oid'::regtype
            or exists (select from pg_constraint
                        where contype = 'f'
                          and confrelid = %(catalogue)s::regclass
                          and conrelid = class.oid
                          and attnum = any (conkey)))
       and leaf.oid <> 'uuid'::regtype
     order by nspname, relname, attnum
"""

NUMBERS = "select {value}::bigint from {table}"

# A column as `COLUMNS` spells it.
SPELLING = """
    select quote_ident(nspname) || '.' || quote_ident(relname), quote_ident(attname)
      from pg_attribute
      join pg_class class on class.oid = attrelid
      join pg_namespace namespace on namespace.oid = relnamespace
     where attrelid = %s::regclass and attname = %s
"""

# A column's default is a text, too.
DEFAULTS = "pg_catalog.pg_attrdef", ["pg_get_expr(adbin, adrelid)"]


class Search(NamedTuple):
    """How the names that a database holds are found."""

    least: int  # of the numbers of the catalogue
    greatest: int
    keys: list[str]  # for each table, a query of the numbers in its texts, and if a dot follows
    numbers: list[str]  # for each column of numbers of objects, a query of them
    unsearchable: list[str]  # what neither looks into: "public.papers.pickle (bytea)"
    hidden_numbers: list[str]  # those of them that may have numbers of objects


def search(alias: str) -> Search:
    """Return how to find the names in a database; two round trips."""
    texts = dict([DEFAULTS])
    numbers, unsearchable, hidden = [], [], []
    with connections[alias].cursor() as cursor:
        cursor.execute(RANGE)
        least, greatest = (number or 1 for number in cursor.fetchone())
        cursor.execute(COLUMNS, {"catalogue": TABLE})
        for table, column, category, is_array, why_not in cursor.fetchall():
            if why_not:
                unsearchable.append(f"{table}.{column} ({why_not})")
                if category in ("N", "C"):  # numbers, and composite types
                    hidden.append(unsearchable[-1])
            elif category == "N":
                value = f"unnest({column}::oid[])" if is_array else column
                numbers.append(NUMBERS.format(value=value, table=table))
            else:
                texts.setdefault(table, []).append(f"{column}::text")
    keys = [_keys(table, columns, least, greatest) for table, columns in texts.items()]
    return Search(least, greatest, keys, numbers, unsearchable, hidden)


def claimed(
    alias: str, loids: Collection[int], apart_from: tuple[str, str] | None = None
) -> set[int]:
    """Return which of some numbers a column of type oid has, as that of another application should.

    Each of them, where there is such a column that cannot be read.

    - `apart_from`: a column that does not count: its table, quoted, and its name.
    """
    found = search(alias)
    if found.hidden_numbers:
        return set(loids)
    queries = list(found.numbers)
    with connections[alias].cursor() as cursor:
        if apart_from:
            cursor.execute(SPELLING, apart_from)
            table, column = cursor.fetchone()
            queries = [one for one in queries if one != NUMBERS.format(value=column, table=table)]
        numbers = " union all ".join(["select null::bigint", *queries]).replace("%", "%%")
        cursor.execute(
            f"select distinct loid from ({numbers}) number (loid) where loid = any (%s)",
            [list(loids)],
        )
        return {loid for (loid,) in cursor.fetchall()}


def _keys(table: str, columns: list[str], least: int, greatest: int) -> str:
    """Return the query of the numbers at the end of each run of digits in some columns.

    A number has its dot where one follows that begins no fraction. Of "2024010116418" it is each of
    116418 and 16418 that is in the range. (Measured: a pattern for each number of digits takes two
    or three times as long, and so does one without the condition.)
    """
    values = ", ".join(f'({column} collate "C")' for column in columns)
    fewest, most = len(str(least)), len(str(greatest))
    ends = ", ".join(
        f"(run.digits % {10**digits}, {10 ** (digits - 1)})" for digits in range(fewest, most + 1)
    )
    return f"""
        select number, run.has_dot
          from (
              select right(split_part(run, '.', 1), {most})::bigint, strpos(run, '.') > 0
                from (
                    select (regexp_matches(
                               searched.value, '[0-9]{{{fewest},}}(?:\\.[^0-9]|\\.$)?', 'g'
                           ))[1]
                      from {table}, lateral (values {values}) as searched (value)
                     where searched.value ~ '[0-9]{{{fewest}}}'
                ) as found (run)
              offset 0
          ) as run (digits, has_dot), lateral (values {ends}) as ends (number, fewest)
         where number >= fewest and number between {least} and {greatest}
    """
