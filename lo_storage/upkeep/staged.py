"""What `lo_storage.uploads` has staged, where that app is installed: its table tells."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from .finding import Finding
from .reading import reading

# How long what is past its date may be there: lo_expire is run once a day.
OVERDUE = timedelta(days=2)

TABLE = "lo_storage_uploads_upload"

IS_THERE = """
    select from pg_class where oid = to_regclass(%(table)s) and has_table_privilege(oid, 'select')
"""

STAGED = f"""
    select count(*), coalesce(sum(received), 0)::bigint,
           count(*) filter (where expires_at < %(overdue)s)
      from {TABLE}
"""


class Staged(NamedTuple):
    """Uploads that no row has taken yet."""

    uploads: int
    bytes: int  # that have come
    overdue: int  # past their date by two days: lo_expire does not run


def staged(cursor: Any) -> Staged | None:
    """Return what is staged; None: there is no such table, or this role may not read it."""
    cursor.execute(IS_THERE, {"table": TABLE})
    if cursor.fetchone() is None:
        return None
    cursor.execute(STAGED, {"overdue": timezone.now() - OVERDUE})
    return Staged(*cursor.fetchone())


def check_staged(alias: str) -> Iterator[Finding]:
    """Yield that what is past its date stays."""
    with reading(alias) as cursor:
        found = staged(cursor)
    if found and found.overdue:
        yield Finding(
            "warning",
            "overdue-uploads",
            "uploads",
            f"{found.overdue:,} are past their date by two days, and take room all the same",
            "Run manage.py lo_expire once a day",
        )
