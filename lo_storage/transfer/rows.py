"""The rows of one file column: which there are, and how one comes to name another file."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.apps import apps
from django.db import OperationalError, connections, models, transaction
from django.db.models import Q, QuerySet
from psycopg import errors

# How many rows are looked at by one statement.
PAGE = 1000

# How long a row that somebody else holds is waited for.
LOCK_TIMEOUT = "30s"

# How often and how long it is waited until nobody writes to a table; who comes after waits as long.
TRIES = 30
TABLE_TIMEOUT = "1s"

# Whether nobody else can write to a table, or it is none that can be locked, as a view.
CANNOT_BE_LOCKED = """
    select pg_is_in_recovery() or relkind not in ('r', 'p')
      from pg_class
     where oid = %s::regclass
"""


class Column(NamedTuple):
    """A file column, and the alias of the database where its rows are."""

    model: type[models.Model]
    field: Any
    alias: str

    @property
    def label(self) -> str:
        return f"{self.model._meta.label}.{self.field.name}"

    def rows(self) -> QuerySet[Any]:
        """Return all rows; a manager may hide some."""
        return QuerySet(self.model, using=self.alias)

    def is_empty(self) -> Q:
        """Return the condition that a row names no file."""
        return Q(**{self.field.name: None}) | Q(**{self.field.name: ""})

    def rename(
        self,
        rows: QuerySet[Any],
        changes: Mapping[Any, "Change"],
        wait: bool,
        others: Mapping[str, Any] | None = None,
    ) -> set[Any]:
        """Let rows name other files, in this transaction; return the keys of those that do now.

        Arguments:

        - `rows`: those that may, with `value` annotated. They are looked at once they are locked.
        - `changes`: by the primary key.
        - `wait`: for a row that is locked, which else is left out. Who holds some locks and waits
          for others may meet one who waits for the first.
        - `others`: what else is set.
        """
        if wait:
            wait_for_locks(self.alias)
        locked = rows.filter(pk__in=list(changes)).select_for_update(
            skip_locked=not wait, no_key=True
        )
        keys = [
            key
            for key, value in locked.values_list("pk", "value")
            if as_key(value) == changes[key].value
        ]
        names = {
            key: changes[key].name
            for key in keys
            if others or changes[key].name != changes[key].value
        }
        if names:
            self._set(names, others or {})
        return set(keys)

    def settled(self, query: QuerySet[Any]) -> list[Any]:
        """Return the rows of a query, once those who write to the table have come to an end."""
        connection = connections[self.alias]
        for left in reversed(range(TRIES)):
            try:
                with transaction.atomic(using=self.alias):
                    if connection.vendor == "postgresql":
                        self._lock()
                    return list(query)
            except OperationalError as error:
                if not left or not isinstance(error.__cause__, errors.LockNotAvailable):
                    raise
        raise AssertionError("TRIES is no number of tries")

    def _lock(self) -> None:
        connection = connections[self.alias]
        table = connection.ops.quote_name(self.model._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(CANNOT_BE_LOCKED, [table])
            if cursor.fetchone()[0]:
                return
            cursor.execute("select set_config('lock_timeout', %s, true)", [TABLE_TIMEOUT])
            cursor.execute(f"lock table {table} in share mode")

    def _set(self, names: Mapping[Any, str], others: Mapping[str, Any]) -> None:
        connection: Any = connections[self.alias]
        meta: Any = self.model._meta
        key_type = meta.pk.rel_db_type(connection)
        if key_type is None:  # of several columns
            for key, name in names.items():
                self.rows().filter(pk=key).update(**{self.field.name: name}, **others)
            return
        # Measured: Django's Case() of as many names takes as long as to store the files.
        quote = connection.ops.quote_name
        values = {meta.get_field(field).column: value for field, value in others.items()}
        also = "".join(f", {quote(column)} = %s" for column in values)
        keys = [meta.pk.get_db_prep_value(key, connection) for key in names]
        with connection.cursor() as cursor:
            cursor.execute(
                f"update {quote(meta.db_table)} given"
                f"   set {quote(self.field.column)} = new.name{also}"
                f"  from unnest(%s::{key_type}[], %s::text[]) as new (key, name)"
                f" where given.{quote(meta.pk.column)} = new.key",
                [*values.values(), keys, list(names.values())],
            )


class Change(NamedTuple):
    """A row that had a value when its file was read, and the name that it gets."""

    value: Any
    name: str


def file_columns() -> Iterator[Column]:
    """Yield each file column of each database, whatever its storage, and wherever a router looks.

    Raises what a database raises that cannot be asked.
    """
    for alias in connections:
        for model in apps.get_models():
            fields = [
                field
                for field in model._meta.local_concrete_fields
                if isinstance(field, models.FileField)
            ]
            if fields and has_table(model, alias):
                yield from (Column(model, field, alias) for field in fields)


def has_table(model: type[models.Model], alias: str) -> bool:
    """Whether a model has its table, which it has not before its migration."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            return model._meta.db_table in connection.introspection.table_names(cursor)
        # It knows the search path, and names with a schema.
        cursor.execute(
            "select to_regclass(%s) is not null",
            [connection.ops.quote_name(model._meta.db_table)],
        )
        return bool(cursor.fetchone()[0])


def wait_for_locks(alias: str) -> None:
    """Let this transaction wait for a lock as long as is meet, and no longer."""
    with connections[alias].cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])


def as_key(value: Any) -> Any:
    """Return a value of a column, as it can be compared: psycopg gives bytes as a memoryview."""
    return bytes(value) if isinstance(value, memoryview) else value


def pages(rows: QuerySet[Any], *columns: Any) -> Iterator[list[Any]]:
    """Yield the values of some columns of all rows, with the primary key first, page by page."""
    rest = rows.order_by("pk")
    while page := list(rest.values_list("pk", *columns)[:PAGE]):
        yield page
        rest = rows.filter(pk__gt=page[-1][0]).order_by("pk")
