"""The catalogue: a row for each large object that the library keeps."""

from typing import Any

from django.db import NotSupportedError, models
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from .names import MAX_OID

__all__ = ["LargeObject"]


REFUSAL = (
    "a row of the catalogue is made together with its large object, by DbFileStorage; fixtures"
    " cannot hold files, so leave out the app by 'dumpdata --exclude lo_storage', or use pg_dump"
)


class OidField(models.BigIntegerField):  # type: ignore[type-arg]  # no generic at run time
    """PostgreSQL's `oid`: `vacuumlo` spares only the large objects that such a column names."""

    def db_type(self, connection: Any) -> str:
        return "oid"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = super().get_db_prep_value(value, connection, prepared)
        if isinstance(value, int) and not 0 <= value <= MAX_OID:
            raise ValueError(f"an oid is a number from 0 to {MAX_OID}, and {value} is not")
        return value


class LargeObjectQuerySet(models.QuerySet["LargeObject"]):
    def bulk_create(self, *args: Any, **kwargs: Any) -> Any:
        raise NotSupportedError(REFUSAL)


class LargeObject(models.Model):
    """What PostgreSQL does not know of a large object.

    Columns:

    - `loid`: the number of the object.
    - `name`: what a file field stores ("16418.pdf").
    - `original_name`: the last part of the name that the file came with.
    - `size`: in bytes.
    - `sha256`: in hexadecimal, of what `DbFileStorage.save()` wrote. NULL, unknown, after any other
      write, and for an adopted object.
    - `version`: 1, and one more after each statement that writes.
    - `created_at`, `modified_at`.

    Deleting a row, by whatever means, deletes its large object in the same transaction.
    """

    loid = OidField(_("large object"), primary_key=True)
    name = models.TextField(_("name"), help_text=_("What a file field stores: “16418.pdf”."))
    original_name = models.TextField(_("original name"), blank=True)
    size = models.PositiveBigIntegerField(_("size"), help_text=_("In bytes."))
    sha256 = models.CharField(  # noqa: DJ001  # unknown is not empty
        _("SHA-256"),
        max_length=64,
        null=True,
        blank=True,
        help_text=_("Unknown after a part of the content was overwritten."),
    )
    version = models.PositiveBigIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(_("created at"))
    modified_at = models.DateTimeField(_("modified at"))

    objects = LargeObjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("large object")
        verbose_name_plural = _("large objects")
        constraints = [
            # In place of unique=True, which makes a second index, for LIKE.
            models.UniqueConstraint(fields=["name"], name="lo_storage_largeobject_name"),
        ]

    def __str__(self) -> str:
        return self.name


@receiver(pre_save, sender=LargeObject)
def refuse_save(**kwargs: Any) -> None:
    # loaddata, too, could make a row of an object that is not there, or is another application's.
    # (A trigger would refuse what pg_restore --data-only does: it brings rows before objects.)
    raise NotSupportedError(REFUSAL)
