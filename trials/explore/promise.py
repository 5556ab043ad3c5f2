"""Whether the promise holds once all transactions have ended."""

import hashlib
from itertools import permutations

import psycopg
from django.db import DatabaseError

from .models import FILE_NAME
from .operations import OPERATIONS, RolledBack
from .schedules import Session
from .stage import END, FORGET

FILES = """
    select name, original_name, version, size, sha256, lo_get(object.oid)
      from lo_storage_largeobject
      full join pg_largeobject_metadata object on object.oid = loid
"""
ROWS = """
    select data, true from lo_storage_tests_document where data is not null
     union all select scan, true from lo_storage_tests_document where scan is not null
     union all select data, true from lo_storage_tests_attachment where data is not null
     union all select data, false from trials_letter where data is not null
"""
CONTENT = b"0123456789"

# What tells a transaction to try again.
RETRY = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
)


def broken(observer: psycopg.Connection, sessions: list[Session]) -> list[str]:
    """Return what is wrong, one line for each; afterwards there is no row and no file."""
    found = [line for session in sessions if (line := _of_error(session))]
    files = observer.execute(FILES).fetchall()
    rows = observer.execute(ROWS).fetchall()
    there = {name for name, *_, content in files if content is not None}
    named = {name for name, _ in rows}
    failed = {f"new-{session.who}.txt" for session in sessions if session.error}
    found += [f"a row names {name}, which is not there" for name in named - there]
    for name, original_name, version, size, sha256, content in files:
        if name is None:
            found.append("a large object is not in the catalogue")
        elif content is None:
            found.append(f"{name} of the catalogue has no large object")
        else:
            if name not in named and original_name != FILE_NAME:
                found.append(f"no row names {name} ({original_name})")
            if original_name in failed:
                found.append(f"{name} ({original_name}) is of a transaction that failed")
            if size != len(content):
                found.append(f"{name} has {len(content)} bytes, and the catalogue says {size}")
            if sha256 not in (None, hashlib.sha256(content).hexdigest()):
                found.append(f"{name} has another SHA-256 than the catalogue says")
            found += _of_edits(name, original_name, version, content, sessions)
    observer.execute(END)
    left = {original_name for (original_name,) in observer.execute(FORGET)} - {FILE_NAME}
    return found + [f"once all rows are gone, {original_name} is left" for original_name in left]


def _of_error(session: Session) -> str | None:
    """Return what failed that may not fail."""
    error, operation = session.error, OPERATIONS[session.operation]
    is_expected = (error is not None) == operation.is_always_refused
    cause = error.__cause__ if error is not None else None
    # A row that is too new for this snapshot may name the file.
    may_be_refused = operation.may_be_refused or session.level != "rc"
    is_expected = (
        is_expected
        or isinstance(error, RolledBack)
        or isinstance(cause, RETRY)
        or (may_be_refused and isinstance(cause, psycopg.errors.ForeignKeyViolation))
        or (operation.edits is not None and isinstance(error, FileNotFoundError))
        or (isinstance(error, DatabaseError) and "Forced update" in str(error))  # no row is left
    )
    return None if is_expected else f"{session.who}: {error!r} {cause!r}"


def _of_edits(
    name: str, original_name: str, version: int, content: bytes, sessions: list[Session]
) -> list[str]:
    """Return what is wrong with a content: it is as if one transaction came after the other."""
    if original_name not in ("own", "shared", "twice"):
        return []
    edits = [
        (OPERATIONS[session.operation].edits, session.who)
        for session in sessions
        if session.edited == name and session.error is None
    ]
    possible = set()
    for order in permutations(edits):
        expected = CONTENT
        for edit, who in order:
            assert edit is not None
            expected = edit(expected, who)
        possible.add(expected)
    found = []
    if content not in possible:
        found.append(f"{name} has {content!r}, and not one of {possible}")
    if version <= len(edits):
        found.append(f"{name} was edited {len(edits)} times, and has version {version}")
    return found
