"""Invoices, each with a file that lives and dies with its row.

Two things keep files and rows together, and a reader should see both:

- The receivers at the end of this module are Python. They run when an *instance* is saved or
  deleted, and they delete the file at once, inside the transaction.
- `LargeObjectReference` in `Invoice.Meta` is the database. At COMMIT it deletes the file that no
  row names any more, and refuses a row whose file does not exist.

                                                    receivers    database
    invoice.save(), invoice.delete()                yes          yes
    QuerySet.delete(), deleting the owner           yes          yes
    QuerySet.update(), bulk_update(), raw SQL       no           yes
    a row may only name a file that exists          no           yes

So the database alone would do. The receivers are what an application without the constraint has,
and with it they do no harm: what they have deleted already, the database does not find again.
"""

from pathlib import PurePath

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Max, OuterRef, Q, Subquery
from django.db.models.functions import Cast, Substr
from django.db.models.signals import post_delete, post_init, post_save
from django.dispatch import receiver
from django.urls import reverse
from django.utils import timezone

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField
from lo_storage.models import LargeObject
from lo_storage.serving.headers import SHOWN
from lo_storage.storage import DbFileStorage


class InvoiceQuerySet(models.QuerySet):
    def with_file(self):
        """Annotate what the catalogue knows of each file: no file is opened for it."""
        file = LargeObject.objects.filter(name=OuterRef("data"))
        return self.annotate(
            **{
                field: Subquery(file.values(field)[:1])
                for field in ("original_name", "size", "sha256", "version")
            }
        )

    def search(self, words):
        """Keep what has each of the words in its number, title or file name."""
        for word in words.split():
            self = self.filter(
                Q(number__icontains=word)
                | Q(title__icontains=word)
                | Q(original_name__icontains=word)
            )
        return self

    def next_number(self, owner, year):
        """Return the next of the numbers 2026-0001, 2026-0002, … of an owner."""
        year = f"{year:04}"
        last = self.filter(owner=owner, number__regex=rf"^{year}-\d{{4,6}}$").aggregate(
            last=Max(Cast(Substr("number", 6), models.IntegerField()))
        )["last"]
        return f"{year}-{(last or 0) + 1:04}"


class Invoice(models.Model):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invoices"
    )
    number = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    amount = models.DecimalField(
        "amount in EUR",
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0, "The amount cannot be negative.")],
        help_text="Leave it empty while it is not known.",
    )
    issued = models.DateField("date of issue", default=timezone.localdate)
    # An empty file is NULL, never "": a foreign key says nothing about NULL.
    data = DbFileField("file", storage=DbFileStorage("/file"), null=True, blank=True)
    created_at = models.DateTimeField("uploaded", auto_now_add=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering = ["-issued", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "number"],
                name="invoices_invoice_number",
                violation_error_message="You have another invoice with this number.",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0),
                name="invoices_invoice_amount",
                violation_error_message="The amount cannot be negative.",
            ),
            LargeObjectReference(field="data", name="invoices_invoice_data"),
        ]

    def __str__(self):
        return f"{self.number} {self.title}"

    def get_absolute_url(self):
        return reverse("invoices:detail", args=[self.pk])

    @property
    def kind(self):
        """What people call the kind of the file: "PDF", "TAR.GZ"; "file" if it has no suffix."""
        suffixes = PurePath(self.data.name).suffixes
        return (
            "".join(suffixes[-2:] if ".tar" in suffixes[-2:-1] else suffixes[-1:])[1:].upper()
            or "file"
        )

    @property
    def preview(self):
        """How a page can show the file: "image", "frame" or "" for not at all."""
        match SHOWN.get(PurePath(self.data.name).suffix.lower()):
            case "application/pdf" | "text/plain; charset=utf-8":
                return "frame"
            case "image/avif" | "image/gif" | "image/jpeg" | "image/png" | "image/webp":
                return "image"
        return ""

    def refresh_from_db(self, using=None, fields=None, **kwargs):
        super().refresh_from_db(using, fields, **kwargs)
        if fields is None or "data" in fields:  # Also where a deferred field is loaded.
            remember_file(self)


def remember_file(invoice):
    """Keep the name that the row has: who assigns another file changes only the instance."""
    # From __dict__, because reading the attribute would load a deferred field, once for each row.
    invoice.file_in_row = str(invoice.__dict__.get("data") or "") or None


@receiver(post_init, sender=Invoice)
def invoice_initialized(sender, instance, **kwargs):
    # A file that is no name yet was just chosen by someone: Invoice(data=uploaded_file).
    if isinstance(instance.__dict__.get("data"), str):
        remember_file(instance)
    else:
        instance.file_in_row = None


@receiver(post_save, sender=Invoice)
def invoice_saved(sender, instance, created, update_fields, **kwargs):
    if update_fields is not None and "data" not in update_fields:
        return
    replaced = instance.file_in_row
    remember_file(instance)
    # Safe inside the transaction: if it is rolled back, the file was never deleted.
    if not created and replaced and replaced != instance.file_in_row:
        Invoice.data.field.storage.delete(replaced)


@receiver(post_delete, sender=Invoice)
def invoice_deleted(sender, instance, **kwargs):
    if instance.file_in_row:
        Invoice.data.field.storage.delete(instance.file_in_row)
