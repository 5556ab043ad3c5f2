"""Invoices, each with a file that lives and dies with its row.

`LargeObjectReference` in `Invoice.Meta` is what keeps them together: at COMMIT the database deletes
a file that no row names any more, and refuses a row whose file does not exist. `receivers.py` shows
what an application without it has, and what that misses.
"""

import datetime
from pathlib import PurePath

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Func, Max, Q, Value
from django.db.models.functions import Cast, Substr
from django.urls import reverse

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField
from lo_storage.models import LargeObject
from lo_storage.names import suffix_of
from lo_storage.querysets import DbFileQuerySet
from lo_storage.serving.headers import SHOWN
from lo_storage.storage import DbFileStorage

# Of a search. Each is looked for in each text: who sends a thousand must not stop the others.
MAX_WORDS = 8


class Folded(Func):
    """A text as `Invoice.search_text` has it, whichever form of Unicode it came in."""

    template = "lower(normalize(%(expressions)s, nfkc))"
    output_field = models.TextField()


class InvoiceQuerySet(DbFileQuerySet):
    def search(self, words, *also):
        """Keep what has each of the words in its number, title or file name.

        `also` names columns that may have a word instead. More than `MAX_WORDS` are not looked for.
        """
        for word in words.split()[:MAX_WORDS]:
            found = Q(search_text__contains=Folded(Value(word)))
            for column in also:
                found |= Q((f"{column}__icontains", word))
            self = self.filter(found)
        return self

    def with_content(self, owner, checksums):
        """Return the owner's latest invoice of each of these files, by its SHA-256."""
        files = LargeObject.objects.filter(sha256__in=checksums).values("name")
        found = self.filter(owner=owner, data__in=files).with_entries().order_by("pk")
        return {invoice.data.entry.sha256: invoice for invoice in found}

    def next_numbers(self, owner):
        """Return the next of the numbers 2026-0001, 2026-0002, … of an owner, by its year."""
        last = (
            self.filter(owner=owner, number__regex=r"^\d{4}-\d{4,6}$")
            .order_by()
            .values_list(Substr("number", 1, 4))
            .annotate(last=Max(Cast(Substr("number", 6), models.IntegerField())))
        )
        return {year: f"{year}-{number + 1:04}" for year, number in last}

    def next_number(self, owner, year, taken=()):
        """Return the next number of a year; not one of those that are `taken`."""
        year = f"{year:04}"
        last = self.filter(owner=owner, number__regex=rf"^{year}-\d{{4,6}}$").aggregate(
            last=Max(Cast(Substr("number", 6), models.IntegerField()))
        )["last"]
        number = (last or 0) + 1
        while f"{year}-{number:04}" in taken:
            number += 1
        return f"{year}-{number:04}"


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
    # In TIME_ZONE; and unlike Django's localdate() without USE_TZ, too.
    issued = models.DateField("date of issue", default=datetime.date.today)
    # An empty file is NULL, never "": a foreign key says nothing about NULL.
    data = DbFileField("file", storage=DbFileStorage("/file"), null=True, blank=True)
    created_at = models.DateTimeField("uploaded", auto_now_add=True)
    # Which form with which content it came by, so that one that is sent twice is saved once.
    sent = models.UUIDField(null=True, editable=False, db_index=True)
    # Number, title and file name, folded: the database keeps it, by a trigger of migration 0003.
    search_text = models.TextField(default="", editable=False)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering = ["-issued", "-pk"]
        # A page of many is read in this order, and no further.
        indexes = [models.Index(fields=["owner", "-issued", "-id"], name="invoices_invoice_page")]
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
        return suffix_of(self.data.name)[1:].upper() or "file"

    @property
    def preview(self):
        """How a page can show the file."""
        return preview_of(self.data.name)


def preview_of(name):
    """How a page can show it: "image", "frame", "text", "audio", "video" or "" for not at all."""
    shown = SHOWN.get(PurePath(name).suffix.lower(), "")
    match shown:
        case "application/pdf":
            return "frame"
        case "text/plain":
            return "text"
        case "image/avif" | "image/gif" | "image/jpeg" | "image/png" | "image/webp":
            return "image"
    kind = shown.partition("/")[0]
    return kind if kind in {"audio", "video"} else ""
