"""What becomes of a staged upload: created, sent in pieces, sealed, and adopted by a row.

An object is staged, or catalogued, or gone. Each function but `adopt()` is made of transactions of
its own, none of which lasts longer than to write one piece, or than one step of `removing.py`. The
row is the lock: two requests that write at one offset queue at it, and the second finds nothing to
do.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connections, transaction
from django.utils import timezone

from .. import catalogue
from ..database import cursor
from ..files import DbFileIO
from ..large_objects import Buffer
from ..names import suffix_of
from . import limits
from .conf import hooks, setting
from .models import IS_OURS, Upload
from .removing import remove

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

FIND = f"""
    select *
      from lo_storage_uploads_upload
     where id = any (%(ids)s) and owner_id = %(owner)s and expires_at > %(now)s and {IS_OURS}
"""

STAGED = f"""
    select *
      from lo_storage_uploads_upload
     where owner_id = %(owner)s and expires_at > %(now)s and {IS_OURS}
     order by created_at, id
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

# As catalogue.WRITE: lo_put() asks the row that was updated, and the content is there once.
APPEND = f"""
    with upload as (
        update lo_storage_uploads_upload
           set received = %(end)s
         where id = %(id)s
           and epoch = %(epoch)s
           and received = %(offset)s
           and %(end)s <= coalesce(length, %(end)s)
           and {IS_OURS}
     returning loid
    )
    select lo_put(loid, %(offset)s, %(data)b) from upload
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


class Superseded(Exception):
    """A piece came too late: another request goes on with the upload, or it is gone."""


class UploadGone(FileNotFoundError):
    """A row was to take what another one took, what expired, is not complete, or was not let in."""


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
    limits.check("MAX_SIZE", length or 0)
    with transaction.atomic(using=alias):
        users = get_user_model()._default_manager.using(alias)
        users.select_for_update(no_key=True).get(pk=owner.pk)
        used = limits.used(alias, owner.pk)
        limits.check("QUOTA_NUMBER", used.number + 1)
        limits.check("QUOTA_SIZE", used.size + (length or 0))
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


def staged(alias: str, owner: Any) -> list[Upload]:
    """Return all uploads of a user, complete or not, the oldest first. One round trip."""
    parameters = {"owner": _key(alias, owner), "now": timezone.now()}
    return list(Upload.objects.using(alias).raw(STAGED, parameters))


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
        limits.check("MAX_SIZE", end)
        limits.check("QUOTA_SIZE", limits.used(alias, upload.owner_id).size + len(data))
    elif end > upload.length:
        raise ValueError(f"the upload {upload.id} was to have {upload.length} bytes, and gets more")
    with cursor(alias) as c:
        values = {"id": upload.id, "epoch": upload.epoch, "offset": upload.received, "end": end}
        c.execute(APPEND, {**values, "data": data})
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
    remove(alias, [upload.pk])
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
