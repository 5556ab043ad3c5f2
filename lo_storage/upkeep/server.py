"""What of a server will fail later, or is slower than it has to be."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

from django.db import connections

from .finding import Finding
from .reading import reading

# How many objects one transaction may lock at once (PostgreSQL, "Lock Management"), if there are
# more files in the catalogue than that; else no row.
MORE_FILES_THAN_LOCKS = """
    with room(locks) as (
        select current_setting('max_locks_per_transaction')::int
               * (current_setting('max_connections')::int
                  + current_setting('max_prepared_transactions')::int)
    )
    select locks from room
     where locks < (
        select count(*) from (select from lo_storage_largeobject limit (select locks + 1 from room))
               as files
     )
"""

# What this role may not see is no row.
SETTINGS = """
    select name, setting from pg_settings
     where (name in ('fsync', 'full_page_writes') and setting = 'off') or name = 'data_directory'
"""

# A choice only where the server was built with lz4. (PostgreSQL, "Large Objects": their pages are
# compressed as other columns are, and each of them is tried.)
PGLZ_FOR_LZ4 = """
    select format('alter database %I set default_toast_compression = lz4', current_database())
      from pg_settings
     where name = 'default_toast_compression' and setting = 'pglz' and 'lz4' = any (enumvals)
"""

# PostgreSQL looks for a number that is free, one after the other; a table has at most 32 TB.
ROOM = """
    select greatest(reltuples, 0)::bigint, pg_relation_size('pg_largeobject')
      from pg_class where oid = 'pg_largeobject_metadata'::regclass
"""
MANY_OBJECTS = 2**31
MANY_BYTES = 24 * 2**40

# Of the disk, below which PostgreSQL is about to stop.
LITTLE_SPACE = 0.05


def check_server(alias: str) -> Iterator[Finding]:
    """Yield what to do before something fails."""
    with reading(alias) as cursor:
        cursor.execute(MORE_FILES_THAN_LOCKS)
        locks = cursor.fetchall()
        cursor.execute(SETTINGS)
        settings = dict(cursor.fetchall())
        cursor.execute(PGLZ_FOR_LZ4)
        statements = cursor.fetchall()
        cursor.execute(ROOM)
        objects, size = cursor.fetchone()
    for (number,) in locks:
        yield _warning(
            f"there are more files than locks: one transaction can delete about {number:,}",
            "Raise max_locks_per_transaction, or delete in batches",
        )
    for name in ("fsync", "full_page_writes"):
        if name in settings:
            yield _warning(
                f"{name} is off: a crash of the machine may lose files that were committed",
                f"Set {name} = on",
            )
    for (statement,) in statements:
        yield _warning(
            "default_toast_compression is pglz: it costs half of the speed of writing",
            f"Have its owner say: {statement}",
        )
    if objects > MANY_OBJECTS:
        yield _warning(
            f"there are about {objects:,} large objects, and 4,294,967,295 numbers for them",
            "Keep new files in another database",
        )
    if size > MANY_BYTES:
        yield _warning(
            f"pg_largeobject has {size:,} bytes, and a table has room for 35,184,372,080,640",
            "Keep new files in another database",
        )
    yield from _check_disk(connections[alias], settings.get("data_directory"))


def _check_disk(connection: Any, folder: str | None) -> Iterator[Finding]:
    """Yield that the disk is nearly full, if the server is on this machine and lets us look."""
    is_here = str(connection.connection.info.host).startswith("/")
    if not (is_here and folder and os.access(folder, os.F_OK)):
        return
    disk = shutil.disk_usage(folder)
    if disk.free < LITTLE_SPACE * disk.total:
        yield _warning(
            f"the disk of {folder} has {disk.free:,} bytes free, of {disk.total:,}",
            "Make room: when it is full the server stops",
        )


def _warning(what: str, mend: str) -> Finding:
    return Finding("warning", "server", "the server", what, mend)
