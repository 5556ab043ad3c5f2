"""Databases and aliases that a test adds, and what is in them."""

from contextlib import contextmanager, suppress

import psycopg
from django.db import connection, connections


def sql(*statements):
    """Run statements in the database of the tests."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def numbers(alias):
    """The large objects that a database holds."""
    with connections[alias].cursor() as cursor:
        cursor.execute("select oid::bigint from pg_largeobject_metadata")
        return {loid for (loid,) in cursor.fetchall()}


@contextmanager
def added_alias(alias, **settings):
    """An alias that is not in the settings: Django's tests let it connect."""
    connections[alias] = added = connection.copy(alias)
    options = added.settings_dict["OPTIONS"] | settings.pop("OPTIONS", {})
    added.settings_dict |= {"CONN_MAX_AGE": 0, "OPTIONS": options, **settings}
    try:
        yield alias
    finally:
        added.close()
        added.close_pool()
        del connections[alias]


@contextmanager
def another_database():
    """The NAME of a database that is empty, and goes with the test."""
    name = f"{connection.settings_dict['NAME']}_other"
    quoted = connection.ops.quote_name(name)
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"create database {quoted} template template0")
    try:
        yield {"NAME": name}
    finally:
        # A session of the superuser may still be ending, and nobody else may end it.
        with administrator("postgres") as session:
            session.execute(f"drop database {quoted} with (force)")


def administrator(name: str) -> psycopg.Connection:
    """A session in a database, of a role that may create roles: the superuser, or else our own."""
    known = connection.get_connection_params()
    known = {key: known[key] for key in ("user", "password", "host", "port") if key in known}
    with suppress(psycopg.OperationalError):
        return psycopg.connect(**known | {"user": "postgres"}, dbname=name, autocommit=True)
    return psycopg.connect(**known, dbname=name, autocommit=True)


def rows_are_of_tenants():
    """Let PostgreSQL show the rows of the catalogue to the tenant of its variable only."""
    sql(
        "alter table lo_storage_largeobject"
        " add column tenant text not null default current_setting('files.tenant'),"
        " enable row level security, force row level security",
        "create policy of_tenants on lo_storage_largeobject"
        " using (tenant = current_setting('files.tenant'))",
    )
