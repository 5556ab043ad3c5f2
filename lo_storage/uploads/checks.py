"""System checks of the uploads: what is staged has a bound and an end."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import connections, router
from django.utils import timezone
from django.utils.module_loading import import_string

from ..database import db_for_write, is_supported
from .conf import DEFAULTS, hooks, setting
from .models import Upload

# How long what is past its date may be there: lo_expire is run once a day.
OVERDUE = timedelta(days=2)


@checks.register(checks.Tags.files)
def check_setting(**kwargs: Any) -> list[checks.CheckMessage]:
    """E101, W101: the setting has known keys, and a user cannot fill the disk."""
    messages: list[checks.CheckMessage] = []
    for key in sorted(set(getattr(settings, "LO_STORAGE_UPLOADS", {})) - set(DEFAULTS)):
        messages.append(
            checks.Error(
                f"LO_STORAGE_UPLOADS has the key {key!r}, which nobody reads.",
                hint=f"Use one of: {', '.join(DEFAULTS)}.",
                id="lo_storage.E101",
            )
        )
    for key in ("QUOTA_SIZE", "QUOTA_NUMBER"):
        if setting(key) is None:
            messages.append(
                checks.Warning(
                    f"LO_STORAGE_UPLOADS has no {key}: one user can fill the disk with uploads"
                    " that no row ever takes.",
                    hint="Set it, in bytes or as a number; or silence this check.",
                    id="lo_storage.W101",
                )
            )
    return messages


@checks.register(checks.Tags.files)
def check_hooks(**kwargs: Any) -> list[checks.CheckMessage]:
    """E103: what lets an upload in is there."""
    messages: list[checks.CheckMessage] = []
    for path in (hooks() or "").split():
        try:
            problem = "" if callable(import_string(path)) else "it cannot be called"
        except ImportError as error:
            problem = str(error)
        if problem:
            messages.append(
                checks.Error(
                    f"LO_STORAGE_UPLOADS names {path!r}, which lets no upload in: {problem}.",
                    hint="ACCEPT is a list of dotted paths of functions, and SCAN is one.",
                    id="lo_storage.E103",
                )
            )
    return messages


@checks.register(checks.Tags.models)
def check_one_database(**kwargs: Any) -> list[checks.CheckMessage]:
    """E102: an upload is in one database with its owner and with the files."""
    users, files = router.db_for_write(get_user_model()), db_for_write()
    if users == files:
        return []
    return [
        checks.Error(
            f"The users are in the database {users!r}, and files in {files!r}: an upload, which has"
            " an owner, cannot be staged there.",
            hint="Take 'lo_storage.uploads' out of INSTALLED_APPS, or have both in one database.",
            id="lo_storage.E102",
        )
    ]


@checks.register(checks.Tags.database)
def check_expiry(databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """W102: what is past its date gets deleted; with `--database`."""
    alias = db_for_write()
    connection = connections[alias]
    if alias not in (databases or ()) or not is_supported(connection):
        return []
    with connection.cursor() as cursor:
        if Upload._meta.db_table not in connection.introspection.table_names(cursor):
            return []  # It is about to be migrated.
    overdue = Upload.objects.using(alias).filter(expires_at__lt=timezone.now() - OVERDUE).count()
    if not overdue:
        return []
    return [
        checks.Warning(
            f"{overdue:,} uploads in the database {alias!r} are past their date by two days.",
            hint="Run 'manage.py lo_expire' once a day, by cron or a timer of systemd.",
            id="lo_storage.W102",
        )
    ]


@checks.register(checks.Tags.files)
def check_limits(**kwargs: Any) -> list[checks.CheckMessage]:
    """E104, W103: each limit is one, and they agree."""
    messages: list[checks.CheckMessage] = []
    for key in ("MAX_SIZE", "QUOTA_SIZE", "QUOTA_NUMBER"):
        limit = setting(key)
        if limit is not None and not (type(limit) is int and limit > 0):
            messages.append(_no_limit(key, "a whole number above 0, or None"))
    expires = setting("EXPIRES")
    if not (isinstance(expires, timedelta) and expires > timedelta()):
        messages.append(_no_limit("EXPIRES", "a datetime.timedelta above 0"))
    if messages:
        return messages
    largest, quota = setting("MAX_SIZE"), setting("QUOTA_SIZE")
    if quota is not None and (largest is None or largest > quota):
        messages.append(
            checks.Warning(
                f"LO_STORAGE_UPLOADS promises files of MAX_SIZE ({largest}) bytes, and nobody may"
                f" have more staged than QUOTA_SIZE ({quota}): larger ones are always refused.",
                hint="Let MAX_SIZE be no more than QUOTA_SIZE.",
                id="lo_storage.W103",
            )
        )
    return messages


def _no_limit(key: str, wanted: str) -> checks.CheckMessage:
    return checks.Error(
        f"LO_STORAGE_UPLOADS has {key} = {setting(key)!r}, which is no limit.",
        hint=f"Let it be {wanted}.",
        id="lo_storage.E104",
    )
