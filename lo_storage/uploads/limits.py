"""What one user may have staged at once, by the setting LO_STORAGE_UPLOADS."""

from typing import Any, NamedTuple

from django.db.models import Count, Sum
from django.db.models.functions import Coalesce
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from .. import large_objects
from .conf import setting
from .models import Upload


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


class Used(NamedTuple):
    """What a user has staged: how many uploads, and the bytes that they have or were promised."""

    number: int
    size: int


def largest() -> int:
    """Return how many bytes one upload may have."""
    return min(setting("MAX_SIZE") or large_objects.MAX_SIZE, large_objects.MAX_SIZE)


def used(alias: str, owner: Any) -> Used:
    """Return what a user, or the user of this key, has staged. One round trip."""
    uploads = Upload.objects.using(alias).filter(owner=owner)
    found = uploads.aggregate(number=Count("*"), size=Sum(Coalesce("length", "received")))
    return Used(found["number"], found["size"] or 0)


def check(key: str, amount: int) -> None:
    """Raise `LimitExceeded` where it is more than the setting's key allows."""
    limit = largest() if key == "MAX_SIZE" else setting(key)
    if limit is not None and amount > limit:
        raise LimitExceeded(key, limit)
