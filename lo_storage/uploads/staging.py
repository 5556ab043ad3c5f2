"""What becomes of a staged upload: created, sent in pieces, sealed, adopted by a row, or expired.

An object is staged, or catalogued, or gone. Each function but `adopt()` is a transaction of its
own, and none lasts longer than one piece takes. The row is the lock: two requests that write at one
offset queue at it, and the second finds nothing to do.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connections, transaction
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import catalogue, large_objects
from ..database import cursor
from ..files import DbFileIO
from ..large_objects import Buffer
from ..names import suffix_of
from .conf import hooks, setting
from .models import Upload

# Measured elsewhere: unlinking 256 MiB takes 2.4 s, and a batch of deletions is one transaction.
BATCH = 10

# The number may be free, and a restore has left it in the catalogue: that row is another file's.
CREATE = """
    with object as materialized (
        select lo_create(%(loid)s::oid) as loid
    )
    select case when entry.loid is null then object.loid end,
           case when entry.loid is not null then lo_unlink(object.loid) end
      from object
      left join lo_storage_largeobject entry on entry.loid = object.loid
"""

# What does not end where the row says is a stranger's object, to whom PostgreSQL gave the number
# after a restore without large objects.
IS_OURS = """exists (
               select from pg_largeobject_metadata
                where oid = loid
                  and length(lo_get(oid, greatest(received - 1, 0), 2)) = least(received, 1)
           )"""

FIND = f"""
    select *
      from lo_storage_uploads_upload
     where id = any (%(ids)s) and owner_id = %(owner)s and expires_at > %(now)s and {IS_OURS}
"""

# Ends an older request at its next piece, so that the offset that is told stays true. One that
# would go on elsewhere ends none. (Whose object it is, is not asked: behind a writer, the row is
# read again, and the object as it was before.)
CLAIM = """
    update lo_storage_uploads_upload
       set epoch = epoch + 1, expires_at = greatest(expires_at, %(expires_at)s)
     where id = %(id)s and owner_id = %(owner)s and expires_at > %(now)s
       and received = coalesce(%(offset)s, received)
 returning *
"""

# lo_put() is in RETURNING, so that it runs once the row is locked.
APPEND = f"""
    update lo_storage_uploads_upload
       set received = received + length(%(data)b)
     where id = %(id)s
       and epoch = %(epoch)s
       and received = %(offset)s
       and received + length(%(data)b) <= coalesce(length, received + length(%(data)b))
       and {IS_OURS}
 returning lo_put(loid, %(offset)s, %(data)b)
"""

# The trigger of the deleted row looks when both are done, and lets the object be.
ADOPT = f"""
    with taken as (
        delete from lo_storage_uploads_upload
         where id = %(id)s and received = length and sha256 is not null
           and coalesce(let_in_by = %(hooks)s::text, %(hooks)s::text is null)
           and {IS_OURS}
     returning loid, received, sha256
    )
    insert into lo_storage_largeobject
           (loid, name, original_name, size, sha256, version, created_at, modified_at)
    select loid, loid::text || %(suffix)s::text, %(original_name)s::text, received, sha256, 1,
           clock_timestamp(), clock_timestamp()
      from taken
 returning name
"""


class LimitExceeded(Exception):
    """A setting bounds what may be staged: `setting` is its key; the message is for the user."""

    def __init__(self, setting: str, limit: int) -> None:
        sentences = {
            "MAX_SIZE": _("The file is too large. One file may have up to %(limit)s."),
            "QUOTA_SIZE": _(
                "Your uploads that no form has saved may have %(limit)s together."
                " Save or remove some first."
            ),
            "QUOTA_NUMBER": _(
                "You have %(limit)s uploads that no form has saved. Save or remove some first."
            ),
        }
        shown = limit if setting == "QUOTA_NUMBER" else filesizeformat(limit)
        super().__init__(sentences[setting] % {"limit": shown})
        self.setting = setting


class Superseded(Exception):
    """A piece came too late: another request goes on with the upload, or it is gone."""


class UploadGone(FileNotFoundError):
    """A row was to take what another one took, what expired, is not complete, or was not let in."""


def largest() -> int:
    """Return how many bytes one upload may have."""
    return min(setting("MAX_SIZE") or large_objects.MAX_SIZE, large_objects.MAX_SIZE)


def create(
    alias: str, owner: Any, length: int | None, original_name: str, sha256: str | None = None
) -> Upload:
    """Stage an empty object for `length` bytes, and return its row.

    Arguments:

    - `alias`: the database, which has the users, too.
    - `owner`: a user.
    - `length`: in bytes; None: not known yet.
    - `original_name`: its last part, taken as a path of any system, is kept.
    - `sha256`: what it is to be, in hexadecimal.

    The owner's row is locked meanwhile: of ten requests at once no more come in than may. Raises
    `LimitExceeded`, and the `DoesNotExist` of a user who is no more. Seven round trips.
    """
    _check("MAX_SIZE", length or 0)
    with transaction.atomic(using=alias):
        users = get_user_model()._default_manager.using(alias)
        users.select_for_update(no_key=True).get(pk=owner.pk)
        used = (
            Upload.objects.using(alias)
            .filter(owner=owner)
            .aggregate(number=Count("*"), size=Sum(Coalesce("length", "received")))
        )
        _check("QUOTA_NUMBER", used["number"] + 1)
        _check("QUOTA_SIZE", (used["size"] or 0) + (length or 0))
        upload = Upload(
            owner_id=owner.pk,
            loid=_create_object(alias),
            original_name=_kept_name(original_name),
            length=length,
            expected_sha256=sha256,
            expires_at=_expiry(),
        )
        upload.save(using=alias, force_insert=True)
    return upload


def find(alias: str, owner: Any, ids: Iterable[UUID]) -> dict[UUID, Upload]:
    """Return those uploads of a user that are there, complete or not. One round trip."""
    parameters = {"ids": list(ids), "owner": _key(alias, owner), "now": timezone.now()}
    return {upload.pk: upload for upload in Upload.objects.using(alias).raw(FIND, parameters)}


def claim(alias: str, owner: Any, id: UUID, offset: int | None = None) -> Upload | None:
    """Return the upload of a user, and let no older request write to it; None: there is none.

    Arguments: `offset`: only if it goes on there. One round trip.
    """
    parameters = {
        "id": id,
        "owner": _key(alias, owner),
        "offset": offset,
        "now": timezone.now(),
        "expires_at": _expiry(),
    }
    return next(iter(Upload.objects.using(alias).raw(CLAIM, parameters)), None)


def append(alias: str, upload: Upload, data: Buffer) -> None:
    """Write what comes next (a few MB at the most), and count it in `upload.received`.

    Raises `Superseded`, `ValueError` for more than was promised, and `LimitExceeded` where nothing
    was. One round trip, and then one more.
    """
    end = upload.received + len(data)
    if upload.length is None:
        _check("MAX_SIZE", end)
        used = Upload.objects.using(alias).filter(owner=upload.owner_id)
        (size,) = used.aggregate(size=Sum(Coalesce("length", "received"))).values()
        _check("QUOTA_SIZE", (size or 0) + len(data))
    elif end > upload.length:
        raise ValueError(f"the upload {upload.id} was to have {upload.length} bytes, and gets more")
    with cursor(alias) as c:
        c.execute(
            APPEND,
            {"id": upload.id, "epoch": upload.epoch, "offset": upload.received, "data": data},
        )
        if c.fetchone() is None:
            raise Superseded(f"another request goes on with the upload {upload.id}, or it is gone")
    upload.received = end


def end(alias: str, upload: Upload, sha256: str) -> None:
    """Record that no more comes of an upload of unknown length, and its SHA-256. One round trip."""
    upload.length, upload.sha256 = upload.received, sha256
    Upload.objects.using(alias).filter(pk=upload.pk).update(length=upload.length, sha256=sha256)


def seal(alias: str, upload: Upload, sha256: str | None = None) -> bool:
    """Record the SHA-256 of a complete upload; None: read it. Return whether it is as expected.

    Where it is not, the upload is deleted: nothing that could be sent would mend it. Two round
    trips, and one for each MiB that is read.
    """
    if upload.sha256 is None:
        upload.sha256 = sha256 or _digest(alias, upload)
        Upload.objects.using(alias).filter(pk=upload.pk).update(sha256=upload.sha256)
    if upload.expected_sha256 in {None, upload.sha256}:
        return True
    Upload.objects.using(alias).filter(pk=upload.pk).delete()
    return False


def adopt(alias: str, id: UUID, original_name: str) -> str:
    """Move a sealed upload into the catalogue, without copying a byte; return its stored name.

    It belongs to the caller's transaction: what is rolled back is staged again. Raises
    `UploadGone`. One round trip.
    """
    name = catalogue.kept_name(original_name)
    with cursor(alias) as c:
        parameters = {"id": id, "hooks": hooks(), "suffix": suffix_of(name), "original_name": name}
        c.execute(ADOPT, parameters)
        row = c.fetchone()
    if row is None:
        raise UploadGone(
            f"the upload {id} is gone, was not let in, or was saved already: send the file again"
        )
    return str(row[0])


def expire(alias: str, now: datetime | None = None) -> Iterator[list[UUID]]:
    """Delete the uploads whose date is past; yield the ids of each batch of ten that is gone.

    Each batch is a transaction. What is being adopted is left alone.
    """
    now = now or timezone.now()
    past = Upload.objects.using(alias).filter(expires_at__lte=now)
    for batch in batched(list(past.values_list("pk", flat=True)), BATCH):
        with transaction.atomic(using=alias):
            ids = list(
                past.filter(pk__in=batch)
                .select_for_update(skip_locked=True)
                .values_list("pk", flat=True)
            )
            Upload.objects.using(alias).filter(pk__in=ids).delete()
        yield ids


def _create_object(alias: str) -> int:
    with cursor(alias) as c:
        loid, _ = catalogue.numbered(c, CREATE, {})
    return int(loid)


def _key(alias: str, owner: Any) -> Any:
    return Upload._meta.get_field("owner").get_db_prep_value(owner.pk, connections[alias])


def _kept_name(original_name: str) -> str:
    name = catalogue.kept_name(original_name.replace("\\", "/"))
    return "" if name in {".", ".."} else name


def _digest(alias: str, upload: Upload) -> str:
    sha256 = hashlib.sha256()
    with DbFileIO(upload.loid, alias=alias) as file:
        for chunk in file.chunks():
            sha256.update(chunk)
    return sha256.hexdigest()


def _expiry() -> datetime:
    return timezone.now() + cast(timedelta, setting("EXPIRES"))


def _check(key: str, amount: int) -> None:
    limit = largest() if key == "MAX_SIZE" else setting(key)
    if limit is not None and amount > limit:
        raise LimitExceeded(key, limit)
