"""Which files the rows of a database name, asked of the database and not of the models.

A false match keeps a file, and a miss destroys one. So whatever can hold a name is searched: each
text of each table of each schema, whether a model describes it or not.
"""

from typing import NamedTuple

from django.db import connections

from ..catalogue import TABLE

# No number of the catalogue has fewer digits. Measured: to look for so many first halves the time.
FEWEST_DIGITS = f"select coalesce(length(min(loid)::text), 1) from {TABLE}"

# The columns that can hold a name or the number of an object, and why one cannot be searched. Dates
# and numbers hold none; partitions and views have the rows of other tables.
COLUMNS = """
    with recursive base(type, oid) as (
        select oid, oid from pg_type where typtype <> 'd'
         union all
        select domain.oid, base.oid
          from pg_type domain
          join base on base.type = domain.typbasetype
         where domain.typtype = 'd'
    )
    select quote_ident(nspname) || '.' || quote_ident(relname),
           quote_ident(attname),
           case when type.oid = 'oid'::regtype then 'oid' else 'text' end,
           case when not has_schema_privilege(namespace.oid, 'usage')
                  or not has_column_privilege(class.oid, attnum, 'select')
                then 'this role may not read it'
                when row_security_active(class.oid) then 'row-level security hides rows of it'
                when relkind = 'f' then 'it is in another database'
                when coalesce(element.oid, type.oid) = 'bytea'::regtype then 'bytea' end
      from pg_attribute
      join pg_class class on class.oid = attrelid
      join pg_namespace namespace on namespace.oid = relnamespace
      join base on base.type = atttypid
      join pg_type type on type.oid = base.oid
      left join pg_type element on element.oid = type.typelem and type.typcategory = 'A'
     where attnum > 0
       and not attisdropped
       and relkind in ('r', 'p', 'f')
       and not relispartition
       and relpersistence <> 't'
       and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
       and class.oid <> %s::regclass
       and (coalesce(element.typcategory, type.typcategory) in ('S', 'U', 'C')
            or type.oid = 'oid'::regtype)
       and coalesce(element.oid, type.oid) <> 'uuid'::regtype
     order by nspname, relname, attnum
"""


class Search(NamedTuple):
    """How the names that a database holds are found."""

    key: str  # matches a stored name up to its first suffix: "16418.tar" in "/papers/16418.tar.gz"
    keys: str  # a query of what matches it in the texts of the database
    numbers: str  # a query of the numbers in its oid columns
    unsearchable: list[str]  # what neither looks into: "public.papers.pickle (bytea)"


def search(alias: str) -> Search:
    """Return how to find the names in a database; two round trips."""
    texts: dict[str, list[str]] = {}
    numbers, unsearchable = [], []
    with connections[alias].cursor() as cursor:
        cursor.execute(FEWEST_DIGITS)
        (digits,) = cursor.fetchone()
        cursor.execute(COLUMNS, [TABLE])
        for table, column, kind, why_not in cursor.fetchall():
            if why_not:
                unsearchable.append(f"{table}.{column} ({why_not})")
            elif kind == "oid":
                numbers.append(f"select {column} from {table}")
            else:
                texts.setdefault(table, []).append(f"({column}::text)")
    key = rf"[1-9][0-9]{{{digits - 1},9}}(?:\.[0-9A-Za-z]+)?"
    keys = [
        f"select (regexp_matches(searched.value, '{key}', 'g'))[1]"
        f" from {table}, lateral (values {', '.join(columns)}) as searched (value)"
        f" where searched.value ~ '[1-9][0-9]{{{digits - 1}}}'"
        for table, columns in texts.items()
    ]
    # The catalogue names no file: with it there is always something to select from.
    nothing = f"select {{}} from {TABLE} where false"
    return Search(
        key,
        " union all ".join([nothing.format("name"), *keys]),
        " union all ".join([nothing.format("loid"), *numbers]),
        unsearchable,
    )
