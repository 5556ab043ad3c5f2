from hashlib import sha256
from uuid import uuid4, uuid5

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat

from lo_storage.names import suffix_of

from .amounts import AmountField
from .models import MAX_WORDS, Invoice


class InvoiceFileField(forms.FileField):
    """One file, not empty, within the limit. Its name may be of any length and have any letters."""

    default_error_messages = {
        "required": "Choose a file.",
        "empty": "The file is empty, so there is no invoice in it.",
        "too_large": "The file is %(size)s large. One file may be up to %(limit)s.",
    }

    def clean(self, data, initial=None):
        file = super().clean(data, initial)
        if data and data.size > settings.UPLOAD_MAX_FILE_SIZE:
            raise self.problem("too_large", data.size, settings.UPLOAD_MAX_FILE_SIZE)
        return file

    def problem(self, code, size, limit):
        params = {"size": filesizeformat(size), "limit": filesizeformat(limit)}
        return ValidationError(self.error_messages[code], code=code, params=params)

    def get_bound_field(self, form, field_name):
        # For static/invoices/invoices.js, which says the same before anything is sent.
        self.widget.attrs["data-max-file-size"] = settings.UPLOAD_MAX_FILE_SIZE
        return super().get_bound_field(form, field_name)


class NewFileField(InvoiceFileField):
    """A file that has to be chosen, also where the row has one."""

    widget = forms.FileInput

    def clean(self, data, initial=None):
        return super().clean(data)


class ManyFilesInput(forms.FileInput):
    allow_multiple_selected = True


class InvoiceFilesField(InvoiceFileField):
    """Several files. Each problem is told with the name of its file."""

    widget = ManyFilesInput
    default_error_messages = {
        "required": "Choose at least one file.",
        "too_many": "These are %(files)s files. One upload may have up to %(limit)s.",
        "batch_too_large": "Together they are %(size)s large. One upload may have up to %(limit)s.",
    }

    def clean(self, data, initial=None):
        if not data:
            raise ValidationError(self.error_messages["required"], code="required")
        problems = []
        for file in data:
            try:
                super().clean(file)
            except ValidationError as error:
                problems += [f"{file.name}: {message}" for message in error.messages]
        if len(data) > (limit := settings.UPLOAD_MAX_BATCH_FILES):
            params = {"files": len(data), "limit": limit}
            message = self.error_messages["too_many"]
            problems.append(ValidationError(message, code="too_many", params=params))
        if (size := sum(file.size for file in data)) > settings.UPLOAD_MAX_BATCH_SIZE:
            problems.append(self.problem("batch_too_large", size, settings.UPLOAD_MAX_BATCH_SIZE))
        if problems:
            raise ValidationError(problems)
        return data

    def get_bound_field(self, form, field_name):
        self.help_text = (
            f"Up to {settings.UPLOAD_MAX_BATCH_FILES} files,"
            f" {filesizeformat(settings.UPLOAD_MAX_FILE_SIZE)} each,"
            f" {filesizeformat(settings.UPLOAD_MAX_BATCH_SIZE)} together."
        )
        self.widget.attrs |= {
            "data-max-batch-size": settings.UPLOAD_MAX_BATCH_SIZE,
            "data-max-batch-files": settings.UPLOAD_MAX_BATCH_FILES,
        }
        return super().get_bound_field(form, field_name)


# A date as HTML has it, whatever the language of the site.
WIDGETS = {"issued": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})}
FIELDS = {"amount": AmountField}


class UploadForm(forms.ModelForm):
    """One invoice for each file; what is typed holds for all of them, and can be edited later."""

    # Each form that is opened has another. A click too many sends the same one again.
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4, required=False)
    files = InvoiceFilesField()
    title = forms.CharField(
        max_length=200,
        required=False,
        help_text="Left empty, each invoice gets the name of its file.",
    )

    class Meta:
        model = Invoice
        # The required date last: an upload that breaks off between two files lacks it, and fails.
        fields = ["files", "title", "amount", "issued"]
        widgets = WIDGETS
        field_classes = FIELDS

    def sent(self):
        """Tell this form with this content from any other, and from itself with other files."""
        if not self.cleaned_data["token"]:
            return None
        digest = sha256()
        for name in ("title", "amount", "issued"):
            digest.update(repr(self.cleaned_data[name]).encode())
        for file in self.cleaned_data["files"]:
            digest.update(repr((file.name, file.size)).encode())
            for chunk in file.chunks():
                digest.update(chunk)
        return uuid5(self.cleaned_data["token"], digest.hexdigest())

    def save(self):
        """Save all of them. The caller's transaction makes it all or nothing.

        A form that was saved before is not saved again: the answer is what it has become.
        """
        owner, issued, sent = self.instance.owner, self.cleaned_data["issued"], self.sent()
        # Whoever else numbers invoices of this owner waits here, until our COMMIT.
        get_user_model().objects.select_for_update(no_key=True).get(pk=owner.pk)
        if sent and (before := Invoice.objects.filter(owner=owner, sent=sent).order_by("pk")):
            return list(before)
        return [
            Invoice.objects.create(
                owner=owner,
                number=Invoice.objects.next_number(owner, issued.year),
                title=self.cleaned_data["title"] or title_of(file),
                amount=self.cleaned_data["amount"],
                issued=issued,
                data=file,
                sent=sent,
            )
            for file in self.cleaned_data["files"]
        ]


def title_of(file):
    title = file.name.removesuffix(suffix_of(file.name))
    return " ".join(title.split())[:200] or "Untitled"


class InvoiceForm(forms.ModelForm):
    class Meta:
        model = Invoice
        fields = ["title", "number", "amount", "issued"]
        widgets = WIDGETS
        field_classes = FIELDS


class ReplaceForm(forms.ModelForm):
    data = NewFileField(label="New file")

    class Meta:
        model = Invoice
        fields = ["data"]


class DeleteForm(forms.Form):
    """Has nothing to fill in, but a place for what the database says."""


class LinkForm(forms.Form):
    """Three buttons: the one that is pressed says how long the link may be used."""

    DAYS = [(1, "1 day"), (7, "7 days"), (30, "30 days")]
    days = forms.TypedChoiceField(choices=DAYS, coerce=int)


class SearchForm(forms.Form):
    q = forms.CharField(label="Search", max_length=200, required=False)

    def clean_q(self):
        q = self.cleaned_data["q"]
        if (words := len(q.split())) > MAX_WORDS:
            raise ValidationError(f"These are {words} words. A search may have up to {MAX_WORDS}.")
        return q
