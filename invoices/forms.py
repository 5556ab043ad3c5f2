from hashlib import sha256
from uuid import UUID, uuid4, uuid5

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.functional import cached_property

from lo_storage.names import suffix_of
from lo_storage.uploads.files import KEPT, RefusedFile, StagedFile
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
        if isinstance(data, RefusedFile) and data.name not in data.problem:
            data.problem = f"{data.name}: {data.problem}"
        return super().to_python(data)

    def get_bound_field(self, form, field_name):
        self.help_text = (
            f"Up to {settings.UPLOAD_MAX_BATCH_FILES} files,"
            f" {filesizeformat(settings.UPLOAD_MAX_FILE_SIZE)} each,"
            f" {filesizeformat(settings.UPLOAD_MAX_BATCH_SIZE)} together."
        )
        return super().get_bound_field(form, field_name)


# Of a form that is sent again they may differ.
NO_CONTENT = {"csrfmiddlewaretoken", "experiment"}
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
        fields = ["files", "title", "amount", "issued"]
        widgets = WIDGETS
        field_classes = FIELDS

    @cached_property
    def sent(self):
        """Tell this form with this content from any other, and from itself with other files.

        What was staged before is named by its id, which is there also when the file is not.
        """
        try:
            token = UUID(self.data.get(self.add_prefix("token"), ""))
        except ValueError:
            return None
        content = [(name, texts) for name, texts in self.data.lists() if name not in NO_CONTENT]
        kept = {*self.data.getlist(self.add_prefix("files") + KEPT)}
        content += [
            (file.name, file.sha256)
            for file in self.files.getlist(self.add_prefix("files"))
            if isinstance(file, StagedFile) and str(file.id) not in kept
        ]
        return uuid5(token, sha256(repr(content).encode()).hexdigest())

    def saved_before(self):
        """Return what this form has become, if it was sent before: by a click too many, perhaps."""
        if not self.is_bound or self.sent is None:
            return []
        return list(
            Invoice.objects.filter(owner=self.instance.owner, sent=self.sent).order_by("pk")
        )

    def save(self):
        """Save all of them. The caller's transaction makes it all or nothing.

        A form that was saved before is not saved again: the answer is what it has become.
        """
        owner, issued = self.instance.owner, self.cleaned_data["issued"]
        # Whoever else numbers invoices of this owner waits here, until our COMMIT.
        get_user_model().objects.select_for_update(no_key=True).get(pk=owner.pk)
        return self.saved_before() or [
            Invoice.objects.create(
                owner=owner,
                number=Invoice.objects.next_number(owner, issued.year),
                title=self.cleaned_data["title"] or title_of(file),
                amount=self.cleaned_data["amount"],
                issued=issued,
                data=file,
                sent=self.sent,
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
