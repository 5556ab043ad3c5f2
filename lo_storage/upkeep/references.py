"""Compare each declared reference, and the catalogue's own triggers, with what the database has."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connections, router

from ..catalogue import TABLE
from ..constraints import RELEASE, LargeObjectReference
from .columns import columns_beside
from .finding import Finding
from .reading import reading

# The triggers of a foreign key are on both of its tables. ("O" is a trigger that fires in ordinary
# sessions, "A" one that fires in a replica's, too.)
REFERENCE = """
    with reference as (
        select to_regclass(%(table)s)::oid as class, %(catalogue)s::regclass::oid as catalogue
    )
    select class is not null,
           (select array[convalidated, condeferrable and condeferred,
                         confrelid = catalogue
                         and (select array_agg(attname) = array[%(column)s::name]
                                from pg_attribute
                               where attrelid = conrelid and attnum = any (conkey)),
                         not exists (select from pg_trigger
                                      where tgconstraint = key.oid and tgenabled not in ('O', 'A'))]
              from pg_constraint key
             where conrelid = class and contype = 'f' and conname = %(name)s),
           (select indisvalid and indisready
              from pg_index
              join pg_class on pg_class.oid = indexrelid
             where indrelid = class and relname = %(index)s),
           (select array[tgenabled in ('O', 'A'), tgdeferrable and tginitdeferred]
              from pg_trigger
             where tgrelid = class and tgname = %(trigger)s),
           (select prosrc
              from pg_trigger
              join pg_proc on pg_proc.oid = tgfoid
             where tgrelid = class and tgname = %(trigger)s)
      from reference
"""

# What the migrations give to the catalogue.
CATALOGUE = """
    select name, tgenabled in ('O', 'A'), proname
      from unnest(array['lo_storage_unlink', 'lo_storage_unlink_all']) name
      left join pg_trigger on tgname = name and tgrelid = %(catalogue)s::regclass
      left join pg_proc on pg_proc.oid = tgfoid
"""
CONSTRAINTS = """
    select name
      from unnest(array['lo_storage_largeobject_pkey', 'lo_storage_largeobject_name',
                        'lo_storage_largeobject_name_of_loid']) name
     where not exists (select from pg_constraint
                        where conname = name and conrelid = %(catalogue)s::regclass
                          and convalidated)
"""

# Every foreign key to the catalogue, and every release trigger. By table and name it is of a
# reference; a migration that forgot one, and SQL by hand, leave some that no model declares.
UNDECLARED = """
    select conrelid::regclass::text, conname, 'key',
           exists (select from pg_trigger
                    where tgconstraint = key.oid and tgenabled not in ('O', 'A')),
           not convalidated
      from pg_constraint key
     where contype = 'f' and confrelid = %(catalogue)s::regclass and conparentid = 0
    union all
    select tgrelid::regclass::text, regexp_replace(tgname, '_release$', ''), 'trigger',
           tgenabled not in ('O', 'A'),
           not exists (select from pg_constraint
                        where conrelid = tgrelid and contype = 'f'
                          and conname = convert_from(substring(tgargs for length(tgargs) - 1),
                                                     getdatabaseencoding()))
      from pg_trigger
      join pg_proc on pg_proc.oid = tgfoid and proname = tgname
     where tgname like '%%\\_release' and tgparentid = 0
       and prosrc like '%% misses its foreign key %%'
     order by 1, 2, 3
"""
DROP = "Drop {} of {} by a migration, or declare the reference again and run manage.py lo_mend"


PUT_BACK = "Put it back: manage.py lo_mend references"

# What stands in the function of a trigger, but for the column that is written into it.
_COLUMN = re.compile(r"\b(old|new)\.(?:\"(?:[^\"]|\"\")+\"|\w+|%\(column\)s)")
_BODY = RELEASE.split("$lo_storage$")[1]


class Declared(NamedTuple):
    """A reference of a model whose table and files are in one database."""

    model: Any
    reference: LargeObjectReference


def reference_of(field: Any) -> LargeObjectReference | None:
    """Return the reference that is declared on a file column, if there is one."""
    for constraint in field.model._meta.constraints:
        if isinstance(constraint, LargeObjectReference) and constraint.field == field.name:
            return constraint
    return None


def declared(alias: str) -> Iterator[Declared]:
    """Yield the references that a database should have. Raises `RowsElsewhere`."""
    for model, field in columns_beside(alias):
        reference = reference_of(field)
        if reference is not None and router.allow_migrate_model(alias, model):
            yield Declared(model, reference)


def check_references(alias: str) -> Iterator[Finding]:
    """Yield what is missing, disabled, not validated or old of each declared reference."""
    for model, reference in declared(alias):
        for what in problems(alias, model, reference):
            yield Finding(
                "error", "reference", f"{model._meta.label}.{reference.field}", what, PUT_BACK
            )


def check_undeclared(alias: str) -> Iterator[Finding]:
    """Yield what is disabled, not validated or half gone of references that no model declares."""
    known = {(model._meta.db_table, reference.name) for model, reference in declared(alias)}
    with reading(alias) as cursor:
        cursor.execute(UNDECLARED, {"catalogue": TABLE})
        rows = cursor.fetchall()
    for table, name, kind, is_disabled, is_broken in rows:
        if (table.rpartition(".")[2].strip('"'), name) in known:
            continue
        what = f"the foreign key {name}" if kind == "key" else f"the trigger {name}_release"
        drop = DROP.format(what, table)
        if kind == "trigger" and is_broken:
            text = f"{what} misses its foreign key: each change of a file in {table} is refused"
            yield Finding("error", "reference", table, text, drop)
        elif is_disabled:
            text = f"{what}, which no model declares, is disabled"
            yield Finding("warning", "reference", table, text, drop)
        elif is_broken:
            text = f"{what}, which no model declares, is not validated: rows may break it"
            yield Finding("warning", "reference", table, text, drop)


def problems(alias: str, model: Any, reference: LargeObjectReference) -> list[str]:
    """Return what the database lacks of a reference; an empty list where it is whole."""
    column = model._meta.get_field(reference.field).column
    name, index, trigger = reference.name, f"{reference.name}_idx", f"{reference.name}_release"
    with reading(alias) as cursor:
        cursor.execute(
            REFERENCE,
            {
                "table": connections[alias].ops.quote_name(model._meta.db_table),
                "catalogue": TABLE,
                "column": column,
                "name": name,
                "index": index,
                "trigger": trigger,
            },
        )
        is_there, key, index_is_valid, released, function = cursor.fetchone()
    if not is_there:
        return []  # The column is told as unreadable.
    found = []
    if key is None:
        found.append(f"the foreign key {name} is missing: rows can name files that do not exist")
    else:
        is_validated, is_deferred, is_right, is_enabled = key
        if not is_enabled:
            found.append(f"triggers of the foreign key {name} are disabled: it refuses nothing")
        if not is_validated:
            found.append(f"the foreign key {name} is not validated: rows may break it")
        if not is_right:
            found.append(f"the foreign key {name} is of another column, or to another table")
        elif not is_deferred:
            found.append(f"the foreign key {name} is not deferred: it refuses too early")
    if index_is_valid is None:
        found.append(f"the index {index} is missing: to delete a file reads the whole table")
    elif not index_is_valid:
        found.append(f"the index {index} is not valid: to delete a file reads the whole table")
    if released is None:
        found.append(f"the trigger {trigger} is missing: files stay when no row names them")
    else:
        is_enabled, is_deferred = released
        if not is_enabled:
            found.append(f"the trigger {trigger} is disabled: files stay when no row names them")
        if not is_deferred:
            found.append(f"the trigger {trigger} is not deferred: it deletes too early")
        if not _is_current(function):
            found.append(f"the function of the trigger {trigger} is not the library's present one")
    return found


def check_catalogue(alias: str) -> Iterator[Finding]:
    """Yield what is missing or disabled of the catalogue's own triggers and constraints."""
    for what in problems_of_catalogue(alias):
        yield Finding("error", "catalogue", TABLE, what, PUT_BACK)


def problems_of_catalogue(alias: str) -> list[str]:
    """Return what the catalogue lacks; an empty list where it is whole."""
    found = []
    with reading(alias) as cursor:
        cursor.execute(CATALOGUE, {"catalogue": TABLE})
        for name, is_enabled, function in cursor.fetchall():
            if is_enabled is None:
                found.append(f"the trigger {name} is missing: large objects outlive their files")
            elif not is_enabled:
                found.append(f"the trigger {name} is disabled: large objects outlive their files")
            elif function != f"{name}_v3":
                found.append(f"the trigger {name} calls {function}, which is not the present one")
        cursor.execute(CONSTRAINTS, {"catalogue": TABLE})
        found += [f"the constraint {name} is missing" for (name,) in cursor.fetchall()]
    return found


def _is_current(function: str) -> bool:
    return _COLUMN.sub(r"\1.", function) == _COLUMN.sub(r"\1.", _BODY)
