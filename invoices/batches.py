"""The form that makes an invoice of each file: all of them, or none."""

import datetime
import json
import re
from contextlib import suppress
from hashlib import sha256
from uuid import UUID, uuid4, uuid5

from django import forms
from django.contrib.auth import get_user_model
from django.utils.functional import cached_property

from lo_storage.names import suffix_of
from lo_storage.templatetags.lo_storage import visible
from lo_storage.uploads.files import KEPT, StagedFile

from .forms import FIELDS, WIDGETS, InvoiceFilesField
from .models import Invoice, preview_of

# Of a form that is sent again they may differ.
NO_CONTENT = {"csrfmiddlewaretoken", "experiment"}

DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-._ ]?)(\d\d)\2(\d\d)(?!\d)")


def title_of(name):
    """Return the title that a file's name makes."""
    title = name.removesuffix(suffix_of(name))
    return " ".join(title.split())[:200] or "Untitled"


def date_of(name):
    """Return the one date in a file's name, 2026-03-31 or 20260331; None: there is none, or two."""
    found = set()
    for year, _, month, day in DATE.findall(name):
        with suppress(ValueError):
            found.add(datetime.date(int(year), int(month), int(day)))
    return found.pop() if len(found) == 1 else None


class DetailsForm(forms.ModelForm):
    """What all invoices of a batch have in common; nothing of it has to be known."""

    title = forms.CharField(max_length=200, required=False)
    issued = forms.DateField(label="Date of issue", required=False, widget=WIDGETS["issued"])

    class Meta:
        model = Invoice
        fields = ["title", "amount", "issued"]
        field_classes = FIELDS

    def __init__(self, *args, initial=None, **kwargs):
        # Not the model's default: a date that nobody has chosen holds for none.
        super().__init__(*args, initial={"issued": None, **(initial or {})}, **kwargs)


class RowForm(DetailsForm):
    """The invoice of one file. What is left empty it has in common with the others."""

    number = forms.CharField(max_length=32, required=False)
    # That I have the file already was said.
    is_known = forms.BooleanField(required=False, widget=forms.HiddenInput)

    class Meta(DetailsForm.Meta):
        fields = ["title", "number", "amount", "issued"]

    def __init__(self, *args, file=None, twin=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.file, self.twin = file, twin
        self.preview = preview_of(file.name) if file else ""
        self.fields["amount"].help_text = ""


class UploadForm(DetailsForm):
    """One invoice for each file; each has a row of its own, and what is typed here holds for all.

    The fields of a row begin with the id of the upload: a page that comes back has rows and files,
    and no file is sent again.
    """

    # Each form that is opened has another. A click too many sends the same one again.
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4, required=False)
    files = InvoiceFilesField()

    class Meta(DetailsForm.Meta):
        fields = ["files", "title", "amount", "issued"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["title"].help_text = "Left empty, each invoice gets the name of its file."
        self.fields["issued"].help_text = "Left empty, it is the date in the file's name, or today."

    @cached_property
    def rows(self):
        """A form for each file that has come; unbound where the page had no row for it."""
        sent = self.files.getlist("files") if self.is_bound else []
        files = [file for file in sent if isinstance(file, StagedFile)]
        owner = self.instance.owner
        twins = Invoice.objects.with_content(owner, [file.sha256 for file in files])
        return [
            RowForm(
                self.data if any(name.startswith(f"{file.id}-") for name in self.data) else None,
                prefix=str(file.id),
                instance=Invoice(owner=owner),
                initial={
                    "title": "" if self.data.get("title") else title_of(file.name),
                    "issued": None if self.data.get("issued") else date_of(file.name),
                },
                file=file,
                twin=twins.get(file.sha256),
            )
            for file in files
        ]

    @property
    def new_row(self):
        """What a script makes the row of a new file of."""
        return RowForm(prefix="new-row")

    @property
    def numbers_as_json(self):
        """The next number of each year, for a script to propose."""
        return json.dumps(Invoice.objects.next_numbers(self.instance.owner))

    def clean(self):
        cleaned = super().clean()
        wrong = [f"“{visible(row.file.name)}”" for row in self.rows if not self._is_right(row)]
        if wrong:
            self.add_error(None, f"Look at {', '.join(wrong)}. No file has to be sent again.")
        return cleaned

    def _is_right(self, row):
        if not row.is_bound:
            return row.twin is None
        if not row.is_valid():
            return False
        number = row.cleaned_data["number"]
        others = [
            other.data.get(other.add_prefix("number"), "").strip()
            for other in self.rows
            if other.is_bound and other is not row
        ]
        if number and (
            number in others or Invoice.objects.filter(owner=row.instance.owner, number=number)
        ):
            row.add_error("number", "You have another invoice with this number.")
        return not row.errors and (row.cleaned_data["is_known"] or row.twin is None)

    @cached_property
    def sent(self):
        """Tell this form with this content from any other, and from itself with other files.

        What was staged before is named by its id, which is there also when the file is not.
        """
        try:
            token = UUID(self.data.get("token", ""))
        except ValueError:
            return None
        content = [(name, texts) for name, texts in self.data.lists() if name not in NO_CONTENT]
        kept = {*self.data.getlist(f"files{KEPT}")}
        content += [
            (file.name, file.sha256)
            for file in self.files.getlist("files")
            if isinstance(file, StagedFile) and str(file.id) not in kept
        ]
        return uuid5(token, sha256(repr(content).encode()).hexdigest())

    def saved_before(self):
        """Return what this form has become, if it was sent before: by a click too many, perhaps."""
        if not self.is_bound or self.sent is None:
            return []
        mine = Invoice.objects.filter(owner=self.instance.owner)
        return list(mine.filter(sent=self.sent).order_by("pk"))

    def save(self):
        """Save all of them. The caller's transaction makes it all or nothing.

        A form that was saved before is not saved again: the answer is what it has become.
        """
        owner = self.instance.owner
        # Whoever else numbers invoices of this owner waits here, until our COMMIT.
        get_user_model().objects.select_for_update(no_key=True).get(pk=owner.pk)
        if before := self.saved_before():
            return before
        typed = {
            row.cleaned_data["number"] for row in self.rows if row.is_bound
        }  # and so given to none of the others
        return [self._saved(owner, row, typed) for row in self.rows]

    def _saved(self, owner, row, typed):
        common, own = self.cleaned_data, row.cleaned_data if row.is_bound else {}
        issued = own.get("issued") or common["issued"] or date_of(row.file.name)
        issued = issued or datetime.date.today()
        amount = own.get("amount")
        return Invoice.objects.create(
            owner=owner,
            number=own.get("number") or Invoice.objects.next_number(owner, issued.year, typed),
            title=own.get("title") or common["title"] or title_of(row.file.name),
            amount=common["amount"] if amount is None else amount,
            issued=issued,
            data=row.file,
            sent=self.sent,
        )
