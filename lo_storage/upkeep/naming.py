"""Which files the rows of a database name, asked of the database and not of the models.

A false match keeps a file, and a miss destroys one. So whatever can hold a name is searched: each
text of each table of each schema, whether a model describes it or not. In a text a name may stand
anywhere, and next to anything: "/papers/16418.pdf", "%2216418.pdf%22", "2024010116418.pdf".
"""

from typing import NamedTuple

from django.db import connections

from ..catalogue import TABLE

# How many digits the numbers of the catalogue have. (Measured: to look for so many first halves the
# time.)
DIGITS = f"select length(min(loid)::text), length(max(loid)::text) from {TABLE}"

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
           of_leaf.typcategory = 'N',
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

# A column's default is a text, too.
DEFAULTS = "pg_catalog.pg_attrdef", ["pg_get_expr(adbin, adrelid)"]


class Search(NamedTuple):
    """How the names that a database holds are found."""

    fewest: int  # digits that a number of the catalogue has
    most: int
    keys: list[str]  # for each table, a query of the numbers in its texts: "16418.", or "16418"
    numbers: list[str]  # for each column of numbers of objects, a query of them
    unsearchable: list[str]  # what neither looks into: "public.papers.pickle (bytea)"


def search(alias: str) -> Search:
    """Return how to find the names in a database; two round trips."""
    texts = dict([DEFAULTS])
    numbers, unsearchable = [], []
    with connections[alias].cursor() as cursor:
        cursor.execute(DIGITS)
        fewest, most = (digits or 1 for digits in cursor.fetchone())
        cursor.execute(COLUMNS, {"catalogue": TABLE})
        for table, column, is_number, is_array, why_not in cursor.fetchall():
            if why_not:
                unsearchable.append(f"{table}.{column} ({why_not})")
            elif is_number:
                value = f"unnest({column}::oid[])" if is_array else column
                numbers.append(f"select {value}::bigint from {table}")
            else:
                texts.setdefault(table, []).append(f"{column}::text")
    keys = [_keys(table, columns, fewest, most) for table, columns in texts.items()]
    return Search(fewest, most, keys, numbers, unsearchable)


def _keys(table: str, columns: list[str], fewest: int, most: int) -> str:
    """Return the query of the numbers at the end of each run of digits in some columns.

    A number has its dot where one follows that begins no fraction.
    """
    values = ", ".join(f'({column} collate "C")' for column in columns)
    number = "[1-9][0-9]{{{}}}"
    return " union all ".join(
        f"select (regexp_matches(searched.value, '{pattern}(?![0-9])(?:\\.(?![0-9]))?', 'g'))[1]"
        f" from {table}, lateral (values {values}) as searched (value)"
        f" where searched.value ~ '{pattern}'"
        for pattern in (number.format(digits - 1) for digits in range(fewest, most + 1))
    )
