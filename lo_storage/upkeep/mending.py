"""Mend what `lo_check` finds; each function says what it does, and does it if `apply` is true."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import batched
from typing import Any, NamedTuple

from django.db import Error, IntegrityError, connections, transaction
from django.db.migrations.executor import MigrationExecutor

from .. import catalogue
from ..catalogue import TABLE
from ..constraints import LargeObjectReference
from ..database import cursor
from ..names import loid_of
from .finding import Finding
from .naming import search
from .objects import check_files, check_objects, parts
from .references import declared, problems, problems_of_catalogue
from .rows import Naming, check_rows, naming_columns

# Each object that is deleted or given away is locked until the commit.
BATCH = 1000

NULL = "update {table} set {column} = null where {column}::text = any (%(names)s)"

# Not those that were restored meanwhile.
LOST = f"""
      from {TABLE} entry
     where name = any (%(names)s)
       and not exists (select from pg_largeobject_metadata where oid = loid)
"""
STILL_LOST = f"select name {LOST} for update"
LET_GO = f"delete {LOST}"
UNKNOWN = f"""
    select given.name from unnest(%(names)s::text[]) given (name)
     where not exists (select from {TABLE} entry where entry.name = given.name)
       and not exists (select from pg_largeobject_metadata
                        where oid = split_part(given.name, '.', 1)::bigint::oid)
"""

OWNERS = f"""
    select entry.name, entry.loid::bigint, pg_get_userbyid(lomowner)
      from {TABLE} entry
      join pg_largeobject_metadata object on object.oid = entry.loid
     where not pg_has_role(coalesce(%(owner)s, current_user)::name, lomowner, 'usage')
     order by entry.loid
"""

INDEX = """
    select indexrelid::regclass::text
      from pg_index
      join pg_class on pg_class.oid = indexrelid
     where indrelid = %(table)s::regclass and relname = %(index)s
"""

NOT_OURS = "it is no name that the library gives, but perhaps that of a file on disk"
ANOTHERS = "a column of type oid has it: it may be another application's"
HIDDEN = "this role does not see all that may name files, so nothing is done"
BEHIND = "there are migrations to apply, which may make it: run manage.py migrate first"

# What the migrations made, and what a restore may have left out.
CONSTRAINTS = {
    "lo_storage_largeobject_pkey": "primary key (loid)",
    "lo_storage_largeobject_name": "unique (name)",
    "lo_storage_largeobject_name_of_loid": "check (split_part(name, '.', 1) = loid::text)",
}


class Mended(NamedTuple):
    """What is done, where, and why it was refused, if it was."""

    where: str
    what: str
    refusal: str | None = None


def mend_rows(alias: str, apply: bool) -> Iterator[Mended]:
    """Make NULL of each name that the catalogue lacks, where its large object is gone, too."""
    columns, _ = _columns(alias)
    for column in columns:
        # All of them first: they are read in a transaction that can change nothing.
        lost = [
            (one.where, str(one.name))
            for one in check_rows(alias, column)
            if one.kind == "row-without-file"
        ]
        for where, name in lost:
            if loid_of(name) is None:
                yield Mended(where, f"{name} becomes NULL", NOT_OURS)
        ours = (one for one in lost if loid_of(one[1]) is not None)
        for batch in batched(ours, BATCH):
            names = [name for _, name in batch]
            refusal = _attempt(alias, partial(_null, [column], names, UNKNOWN), apply)
            for where, name in batch:
                yield Mended(where, f"{name} becomes NULL", refusal)


def mend_files(alias: str, apply: bool) -> Iterator[Mended]:
    """Delete each file of the catalogue that has no large object; its rows name nothing then."""
    columns, hidden = _columns(alias)
    if hidden:
        yield from hidden
        return
    findings = check_files(alias, parts(alias), 1, lambda files: None)
    lost = (str(one.name) for one in findings if one.kind == "file-without-object")
    for names in batched(lost, BATCH):
        refusal = _attempt(alias, partial(_let_go, columns, list(names)), apply)
        for name in names:
            yield Mended(name, "is deleted from the catalogue, and rows name nothing", refusal)


def mend_objects(alias: str, apply: bool) -> Iterator[Mended]:
    """Catalogue each large object that was ours, so that `lo_clean` lists it."""
    columns, hidden = _columns(alias)
    if hidden:
        yield from hidden
        return
    found = [(one.where, str(one.name)) for one in check_objects(alias, columns)]
    for where, name in found:
        refusal = None
        if apply:
            try:
                with cursor(alias) as c:
                    if not catalogue.adopt(c, name):
                        refusal = "it is gone, or another role's"
            except OSError as error:
                refusal = error.strerror
        yield Mended(where, f"is catalogued as {name}", refusal)


def mend_owners(alias: str, apply: bool, owner: str | None = None) -> Iterator[Mended]:
    """Give the large objects of files to a role, by default the one that is connected."""
    connection = connections[alias]
    with connection.cursor() as c:
        c.execute(OWNERS, {"owner": owner})
        rows = c.fetchall()
        c.execute(" union ".join(["select null::bigint", *search(alias).numbers]))
        kept = {loid for (loid,) in c.fetchall()}
    to = owner or "this role"
    for name, _, old in [row for row in rows if row[1] in kept]:
        yield Mended(name, f"goes from {old} to {to}", ANOTHERS)
    rows = [row for row in rows if row[1] not in kept]
    new = connection.ops.quote_name(owner) if owner else "current_user"
    for batch in batched(rows, BATCH):
        script = "; ".join(f"alter large object {loid} owner to {new}" for _, loid, _ in batch)
        refusal = _attempt(alias, partial(_execute, script), apply)
        for name, _, old in batch:
            yield Mended(name, f"goes from {old} to {to}", refusal)


def mend_references(alias: str, apply: bool) -> Iterator[Mended]:
    """Put back what is missing, disabled, not validated or old. It locks each table meanwhile."""
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    behind = {migration.app_label for migration, _ in plan}

    def attempt(app_label: str, mend: Callable[[Any], object]) -> str | None:
        return BEHIND if app_label in behind else _attempt(alias, mend, apply)

    if found := problems_of_catalogue(alias):
        refusal = attempt("lo_storage", partial(_mend_catalogue, found))
        yield Mended(TABLE, "; ".join(found), refusal)
    for model, reference in declared(alias):
        if found := problems(alias, model, reference):
            refusal = attempt(model._meta.app_label, partial(_make_anew, alias, model, reference))
            yield Mended(f"{model._meta.label}.{reference.field}", "; ".join(found), refusal)


def _columns(alias: str) -> tuple[list[Naming], list[Mended]]:
    """Return the columns that name files, and a refusal for each that cannot be looked at."""
    found = naming_columns(alias)
    return (
        [one for one in found if isinstance(one, Naming)],
        [Mended(one.where, one.what, HIDDEN) for one in found if isinstance(one, Finding)],
    )


def _null(columns: list[Naming], names: list[str], still: str, c: Any) -> list[str]:
    c.execute(still, {"names": names})
    found = [name for (name,) in c.fetchall()]
    for column in columns:
        table, name = column.table.replace("%", "%%"), column.column.replace("%", "%%")
        c.execute(NULL.format(table=table, column=name), {"names": found})
    return found


def _let_go(columns: list[Naming], names: list[str], c: Any) -> None:
    lost = _null(columns, names, STILL_LOST, c)
    c.execute(LET_GO, {"names": lost})
    if c.rowcount != len(lost):
        raise IntegrityError("a large object of these has come back meanwhile: run it again")


def _execute(script: str, c: Any) -> None:
    c.execute(script)


def _mend_catalogue(found: list[str], c: Any) -> None:
    migration = import_module("lo_storage.migrations.0003_nothing_of_a_stranger")
    c.execute(migration.UNLINK.replace("create function", "create or replace function"))
    for name in ("lo_storage_unlink", "lo_storage_unlink_all"):
        c.execute(f"alter table {TABLE} enable trigger {name}")
    for name, definition in CONSTRAINTS.items():
        if f"the constraint {name} is missing" in found:
            c.execute(f"alter table {TABLE} drop constraint if exists {name}")
            c.execute(f"alter table {TABLE} add constraint {name} {definition}")


def _make_anew(alias: str, model: Any, reference: LargeObjectReference, c: Any) -> None:
    """Make a reference anew: the triggers of a foreign key only a superuser can enable."""
    quote = connections[alias].ops.quote_name
    table = quote(model._meta.db_table)
    c.execute(f"drop trigger if exists {quote(f'{reference.name}_release')} on {table}")
    c.execute(f"alter table {table} drop constraint if exists {quote(reference.name)}")
    c.execute(INDEX, {"table": table, "index": f"{reference.name}_idx"})
    for (index,) in c.fetchall():
        c.execute(f"drop index {index}")
    with connections[alias].schema_editor(atomic=False) as editor:
        editor.add_constraint(model, reference)


def _attempt(alias: str, mend: Callable[[Any], object], apply: bool) -> str | None:
    """Mend in a transaction of its own; return why the database refused, if it did."""
    if not apply:
        return None
    try:
        with transaction.atomic(using=alias), connections[alias].cursor() as c:
            mend(c)
    except Error as error:
        return str(error).splitlines()[0]
    return None
