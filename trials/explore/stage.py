"""The database of a trial: its tables, the gates in its release functions, and planted faults."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from lo_storage.tests.databases import administrator
from lo_storage.tests.models import Attachment, Document

from .models import FILE_NAME, Letter

LOCK = "EXECUTE 'SELECT name FROM ' || catalogue || ' WHERE name = $1 FOR UPDATE' USING old_name;"
LOOK = "INTO is_named USING old_name;"
FOUND = "IF is_named THEN"
BUMP = """EXECUTE 'UPDATE ' || catalogue || ' SET version = version WHERE name = $1'
              USING old_name;"""

# At two gates each release function pauses: between the lock and the look, and between the look and
# what follows from it. Whoever holds the advisory locks opens them.
GATES = [
    ("FOR naming, file_column", "PERFORM pg_advisory_xact_lock(1, pg_backend_pid());\n    "),
    (FOUND, "PERFORM pg_advisory_xact_lock(2, pg_backend_pid());\n        "),
]
# A fault, and the (text, other text) of it.
FAULTS = {
    "no-lock": [(LOCK, "")],
    "no-bump": [(BUMP, "")],
    "check-before-lock": [(LOCK, ""), (LOOK, f"{LOOK} {LOCK}")],
}

FUNCTIONS = """
    select pg_get_functiondef(oid) from pg_proc
     where proname like 'lo\\_storage\\_tests\\_%\\_release'
"""

# How each schedule begins. The file "own" has one row, "shared" one in each of two tables, and
# "twice" two in one table; "letter" has one that no reference keeps.
BEGIN = f"""
    insert into lo_storage_largeobject
           (loid, name, original_name, size, sha256, version, created_at, modified_at)
    select loid, loid || '.txt', original_name, 10, encode(sha256('0123456789'), 'hex'), 1,
           now(), now()
      from (select original_name, lo_from_bytea(0, '0123456789') as loid
              from unnest(array['own', 'shared', 'twice', '{FILE_NAME}']) as original_name
           ) as objects;
    insert into lo_storage_tests_document (id, title, data)
    select id, title, name
      from (values (1, 'own'), (2, 'shared'), (3, 'twice'), (4, 'twice')) as rows (id, title)
      join lo_storage_largeobject on original_name = title;
    insert into lo_storage_tests_attachment (id, data)
    select 1, name from lo_storage_largeobject where original_name = 'shared';
    insert into trials_letter (id, data)
    select 1, name from lo_storage_largeobject where original_name = '{FILE_NAME}';
"""
# With the last rows all files have gone, but for those of letters.
END = """
    begin;
    delete from lo_storage_tests_document;
    delete from lo_storage_tests_attachment;
    commit;
    delete from trials_letter;
"""
FORGET = "delete from lo_storage_largeobject returning original_name"


@contextmanager
def staged(fault: str | None) -> Iterator[psycopg.Connection]:
    """Make a database of its own for Django's default alias; yield a session to look on."""
    name = f"trials_{os.getpid()}"
    before = settings.DATABASES["default"]["NAME"]
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"create database {name} template template0")
    try:
        connections["default"].close()
        settings.DATABASES["default"] |= {"NAME": name, "CONN_MAX_AGE": None}
        connections["default"].settings_dict["NAME"] = name
        _set_up(name, fault)
        parameters = connection.get_connection_params()
        known = ("dbname", "user", "password", "host", "port")
        with psycopg.connect(
            **{key: parameters[key] for key in known if key in parameters}, autocommit=True
        ) as observer:
            yield observer
    finally:
        connections["default"].close()
        settings.DATABASES["default"]["NAME"] = before
        connections["default"].settings_dict["NAME"] = before
        with administrator("postgres") as session:
            session.execute(f"drop database {name} with (force)")


def _set_up(name: str, fault: str | None) -> None:
    call_command("migrate", "lo_storage", verbosity=0)
    with connection.schema_editor() as editor:
        for model in (Document, Attachment, Letter):
            editor.create_model(model)
            editor.execute(f"alter table {model._meta.db_table} alter id restart with 100")
    with connection.cursor() as cursor:
        cursor.execute(f"alter database {name} set synchronous_commit = off")
        cursor.execute(f"alter database {name} set statement_timeout = '60s'")
        cursor.execute(FUNCTIONS)
        functions = [text for (text,) in cursor.fetchall()]
        assert len(functions) == 3, "each reference has a release function"
        for text in functions:
            for old, new in FAULTS[fault] if fault else []:
                text = _replaced(text, old, new)
            for old, gate in GATES:
                text = _replaced(text, old, gate + old)
            cursor.execute(text)
    # Else each deadlock takes a second.
    with administrator(name) as session, suppress(psycopg.errors.InsufficientPrivilege):
        session.execute(f"alter database {name} set deadlock_timeout = '10ms'")
    connection.close()


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise ValueError(f"a release function has not once {old!r}: mend trials/stage.py")
    return text.replace(old, new)
