"""Staged uploads: a row for each large object that is not in the catalogue yet."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..models import OidField

# In a statement about an upload. What does not end where the row says is a stranger's object, to
# whom PostgreSQL gave the number after a restore without large objects.
IS_OURS = """exists (
               select from pg_largeobject_metadata
                where oid = loid
                  and length(lo_get(oid, greatest(received - 1, 0), 2)) = least(received, 1)
           )"""


class Upload(models.Model):
    """A large object that a user sends in pieces, until a row takes it or its date is past.

    Columns:

    - `id`: what its address has; nobody can guess it.
    - `owner`: the one user who may send, end or take it.
    - `loid`: the number of the object.
    - `original_name`: the name that it came with.
    - `length`: in bytes, as it was promised; NULL while it is not known.
    - `received`: how many of them have come.
    - `epoch`: one more for each request that goes on; an older one then writes no more.
    - `sha256`: in hexadecimal, of all bytes; NULL, until they have been read.
    - `expected_sha256`: what the client said it would be; NULL, where it did not.
    - `let_in_by`: the hooks that have let it in; NULL, where none did. A row takes it where they
      are those that the settings name.
    - `created_at`, `expires_at`.

    Deleting a row deletes its large object in the same transaction, unless the catalogue has it. To
    delete in steps, so that no transaction is long, there is `removing.remove()`.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
    )
    loid = OidField(_("large object"), unique=True)
    original_name = models.TextField(_("original name"), blank=True)
    length = models.PositiveBigIntegerField(_("length"), null=True)
    received = models.PositiveBigIntegerField(_("received"), default=0)
    epoch = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, null=True)  # noqa: DJ001  # unknown is not empty
    expected_sha256 = models.CharField(max_length=64, null=True)  # noqa: DJ001  # as above
    let_in_by = models.TextField(null=True)  # noqa: DJ001  # as above
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    # No index on what each piece changes: so its update stays in the page (PostgreSQL, "HOT").
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        app_label = "lo_storage_uploads"  # also where the app is not installed
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_complete(self) -> bool:
        """Whether all bytes have come."""
        return self.received == self.length
