from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat

from lo_storage.templatetags.lo_storage import visible
from lo_storage.uploads.files import RefusedFile, StagedFile
from lo_storage.uploads.forms import ResumableFileField, ResumableFileInput

from .amounts import AmountField
from .models import MAX_WORDS, Invoice


class InvoiceFileField(ResumableFileField):
    """One file, not empty. Its name may be of any length and have any letters."""

    default_error_messages = {
        "required": "Choose a file.",
        "empty": "The file is empty, so there is no invoice in it.",
    }


class NewFileInput(ResumableFileInput):
    def is_initial(self, value):
        return False  # The page shows the old file in a way of its own.


class NewFileField(InvoiceFileField):
    """A file that has to be chosen, also where the row has one."""

    def __init__(self, **kwargs):
        super().__init__(widget=NewFileInput, **kwargs)

    def clean(self, data, initial=None):
        return super().clean(data)


class InvoiceFilesField(InvoiceFileField):
    """Several files. Each problem is told with the name of its file."""

    default_error_messages = {
        "required": "Choose at least one file.",
        "too_many": "These are %(files)s files. One upload may have up to %(limit)s.",
        "batch_too_large": "Together they are %(size)s large. One upload may have up to %(limit)s.",
    }

    def __init__(self, **kwargs):
        super().__init__(multiple=True, **kwargs)

    def clean(self, data, initial=None):
        problems = []
        try:
            super().clean(data)
        except ValidationError as error:
            problems += error.error_list
        if len(data) > (limit := settings.UPLOAD_MAX_BATCH_FILES):
            params = {"files": len(data), "limit": limit}
            message = self.error_messages["too_many"]
            problems.append(ValidationError(message, code="too_many", params=params))
        if (size := sum(file.size for file in data)) > (limit := settings.UPLOAD_MAX_BATCH_SIZE):
            params = {"size": filesizeformat(size), "limit": filesizeformat(limit)}
            message = self.error_messages["batch_too_large"]
            problems.append(ValidationError(message, code="batch_too_large", params=params))
        if problems:
            raise ValidationError(problems)
        return data

    def to_python(self, data):
        # Of several files each has its name there.
        if isinstance(data, RefusedFile) and (name := visible(data.name)) not in data.problem:
            data.problem = f"{name}: {data.problem}"
        return super().to_python(data)

    def get_bound_field(self, form, field_name):
        self.help_text = (
            f"Up to {settings.UPLOAD_MAX_BATCH_FILES} files,"
            f" {filesizeformat(settings.UPLOAD_MAX_FILE_SIZE)} each,"
            f" {filesizeformat(settings.UPLOAD_MAX_BATCH_SIZE)} together."
        )
        return super().get_bound_field(form, field_name)


# A date as HTML has it, whatever the language of the site.
WIDGETS = {"issued": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})}
FIELDS = {"amount": AmountField}


class InvoiceForm(forms.ModelForm):
    class Meta:
        model = Invoice
        fields = ["title", "number", "amount", "issued"]
        widgets = WIDGETS
        field_classes = FIELDS


class ReplaceForm(forms.ModelForm):
    """Where there is a file, both are shown before the new one takes the place of the old one."""

    data = NewFileField(label="New file")
    # The id of the upload that was shown beside the old file.
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Invoice
        fields = ["data"]

    def new_file(self):
        """Return what has come, however the rest of the form is."""
        file = self.files.get("data") if self.is_bound else None
        return file if isinstance(file, StagedFile) else None

    def is_confirmed(self):
        file = self.new_file()
        return file is None or self.cleaned_data["seen"] == str(file.id)


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
