"""Which files the rows of a database name, asked of the database and not of the models.

A false match keeps a file, and a miss destroys one. So whatever can hold a name is searched: each
text of each table of each schema, whether a model describes it or not. In a text a name may stand
anywhere, and next to anything: "/papers/16418.pdf", "%2216418.pdf%22", "2024010116418.pdf".
"""

from collections.abc import Collection, Iterable
from itertools import batched
from typing import NamedTuple

from django.db import connections, transaction

from ..catalogue import TABLE

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

TEXTS = "select concat_ws(' ', {columns}) from {table}"

# How many a function takes, the separator aside.
ARGUMENTS = 99

# Each table that is read is locked, with its indexes, until the transaction ends.
TABLES = 200


class Search(NamedTuple):
    """How the names that a database holds are found."""

    texts: list[str]  # for each table, a query of its texts
    numbers: list[str]  # for each column of numbers of objects, a query of them
    unsearchable: list[str]  # what neither looks into: "public.papers.pickle (bytea)"
    hidden_numbers: list[str]  # those of them that may have numbers of objects


def search(alias: str) -> Search:
    """Return how to find the names in a database; one round trip."""
    texts = dict([DEFAULTS])
    numbers, unsearchable, hidden = [], [], []
    with connections[alias].cursor() as cursor:
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
    queries = [
        TEXTS.format(columns=", ".join(some), table=table)
        for table, columns in texts.items()
        for some in batched(columns, ARGUMENTS)
    ]
    return Search(queries, numbers, unsearchable, hidden)


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
    queries = found.numbers
    if apart_from:
        with connections[alias].cursor() as cursor:
            cursor.execute(SPELLING, apart_from)
            table, column = cursor.fetchone()
        queries = [one for one in queries if one != NUMBERS.format(value=column, table=table)]
    return numbers_in(alias, queries, loids)


def numbers_in(alias: str, queries: Iterable[str], loids: Collection[int]) -> set[int]:
    """Return which of some numbers queries return; one round trip for 200 of them."""
    found: set[int] = set()
    for some in batched(queries, TABLES):
        numbers = " union all ".join(some).replace("%", "%%")
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute(
                f"select distinct loid from ({numbers}) number (loid) where loid = any (%s)",
                [list(loids)],
            )
            found.update(loid for (loid,) in cursor.fetchall())
    return found
