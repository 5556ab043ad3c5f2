"""The end of uploads that no row takes: in steps, none of which locks anybody out for long."""

from collections.abc import Iterable, Iterator
from itertools import accumulate, batched
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ..database import cursor
from ..large_objects import INV_WRITE
from .models import IS_OURS, Upload

# The bytes of one transaction. Measured on a busy machine: a step takes 0.7 s, and at most 1.2 s.
STEP = 64 * 1024**2

# The uploads of one transaction.
BATCH = 10

# lo_truncate64() is in RETURNING, so that it runs once the row is locked, and sees its new value.
CUT = f"""
    update lo_storage_uploads_upload
       set received = received - %(step)s, epoch = epoch + 1,
           expires_at = least(expires_at, %(now)s)
     where id = %(id)s and {IS_OURS}
 returning lo_truncate64(lo_open(loid, %(mode)s), received)
"""


def remove(alias: str, ids: Iterable[UUID]) -> list[UUID]:
    """Delete uploads with their objects, and return the ids of those that were there.

    To unlink takes PostgreSQL as long as the object is large. So each transaction ends with `BATCH`
    uploads, or with `STEP` bytes: what is larger is cut, step by step, to what one of them can
    delete. From the first step on nobody finds it, and no row takes it; where this process ends in
    the middle, `expire()` goes on. Within a transaction of the caller's all of it is one.

    Round trips: four for each transaction.
    """
    return _remove(Upload.objects.using(alias).filter(pk__in=list(ids)).select_for_update())


def expire(alias: str) -> Iterator[list[UUID]]:
    """Remove the uploads whose date is past; yield the ids of each ten that are gone.

    What is being adopted is left alone.
    """
    past = Upload.objects.using(alias).filter(expires_at__lte=timezone.now())
    for batch in batched(list(past.values_list("pk", flat=True)), BATCH):
        yield _remove(past.filter(pk__in=batch).select_for_update(skip_locked=True))


def _remove(uploads: QuerySet[Upload]) -> list[UUID]:
    gone: list[UUID] = []
    while True:
        with transaction.atomic(using=uploads.db):
            # The lock comes first: the next statement then sees the object as the row has it.
            rows = list(uploads.order_by("received")[:BATCH])
            sizes = accumulate(row.received for row in rows)
            whole = [row.pk for row, size in zip(rows, sizes, strict=True) if size <= STEP]
            if rows and not whole and not _cut(uploads.db, rows[0]):
                whole = [rows[0].pk]  # It has no object, or a stranger's, which stays.
            if whole:
                Upload.objects.using(uploads.db).filter(pk__in=whole).delete()
        gone += whole
        if len(whole) == len(rows) < BATCH:
            return gone


def _cut(alias: str, upload: Upload) -> bool:
    with cursor(alias) as c:
        parameters = {"id": upload.pk, "step": STEP, "mode": INV_WRITE, "now": timezone.now()}
        c.execute(CUT, parameters)
        return c.fetchone() is not None
