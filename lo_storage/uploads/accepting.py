"""What gets in: the hooks of a project, which see an upload before any row may take it.

`ACCEPT` and `SCAN` of the setting LO_STORAGE_UPLOADS. That they let it in is written in its row,
and `staging.adopt()` asks for it: nothing becomes a file without it, whoever saves it.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from ..templatetags.lo_storage import visible
from .conf import hooks, setting
from .models import Upload
from .removing import remove
from .staging import UploadGone

logger = logging.getLogger("lo_storage")


class Refused(Exception):
    """A hook does not let an upload in, and it was deleted; the message is for its user."""


class HeldBack(Exception):
    """The scanner could not be asked, and the upload stays; the message is for its user."""


def let_in(alias: str, upload: Upload, file: Any) -> None:
    """Ask the hooks, unless they have let this upload in before, and record that they do.

    Arguments:

    - `alias`: the database.
    - `upload`: complete and sealed.
    - `file`: the same as an `UploadedFile` to read.

    Each function of `ACCEPT` raises `ValidationError` for what it refuses. `SCAN` returns the name
    of the virus that it has found, or None; its `OSError` means that it cannot tell now. Call this
    outside of any transaction, for a scan takes its time. One round trip, two for each hook, and
    those of its own.
    """
    asked = hooks()
    if upload.let_in_by == asked:
        return
    try:
        for path in setting("ACCEPT"):
            with file.open():
                _hook(path)(file)
        if path := setting("SCAN"):
            with file.open():
                _scan(_hook(path), file)
    except (OSError, HeldBack) as error:
        if Upload.objects.using(alias).filter(pk=upload.pk).exists():
            raise
        # It expired, or its user was deleted, while it was read.
        raise Refused(_("An upload is no longer here. Choose its file again.")) from error
    except ValidationError as error:
        remove(alias, [upload.pk])
        raise Refused(f"{visible(file.name)}: {' '.join(error.messages)}") from error
    Upload.objects.using(alias).filter(pk=upload.pk).update(let_in_by=asked)
    upload.let_in_by = asked


def require(upload: Upload) -> None:
    """Raise `UploadGone` unless the hooks have let it in; for a copy, of which no row asks."""
    if upload.let_in_by != hooks():
        raise UploadGone(f"the upload {upload.pk} was not let in")


def _scan(scan: Callable[[Any], str | None], file: Any) -> None:
    try:
        virus = scan(file)
    except OSError as error:
        logger.exception("An upload could not be scanned")
        sentence = _(
            "“%s” could not be checked for viruses now. It is kept: try again in a moment."
        )
        raise HeldBack(sentence % visible(file.name)) from error
    if virus:
        logger.warning("An upload of the user %s has a virus: %s", file.upload.owner_id, virus)
        raise ValidationError(
            _("The virus “%s” was found in it, so it was deleted. Choose another file.") % virus
        )


def _hook(path: str) -> Callable[[Any], Any]:
    hook: Callable[[Any], Any] = import_string(path)
    return hook
