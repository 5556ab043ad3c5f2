"""`ResumableFileField`: a form that is refused still has its files."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from ..templatetags.lo_storage import visible
from .conf import setting
from .files import KEPT, RefusedFile, StagedFile


class ResumableFileInput(forms.ClearableFileInput):
    """Django's own, and above it a checkbox for each upload that the form has already.

    Who unticks one sends the form without it; the upload then stays until its date is past. With
    its `media`, and where `lo_storage.uploads.urls` are included, files are sent in pieces, while
    the form is filled in.
    """

    template_name = "lo_storage/uploads/file_input.html"
    kept: list[StagedFile] = []  # replaced, and never changed

    def __init__(self, attrs: dict[str, Any] | None = None, *, multiple: bool = False) -> None:
        self.allow_multiple_selected = multiple
        super().__init__(attrs)

    @property
    def media(self) -> forms.Media:
        if _address() is None:
            return forms.Media()
        folder = "lo_storage/uploads"
        client = static(f"{folder}/tus-js-client/tus.min.js")
        module = static(f"{folder}/uploads.js")
        return forms.Media(
            css={"all": [f"{folder}/uploads.css"]},
            js=[
                format_html('<script src="{}" defer></script>', client),
                format_html('<script src="{}" type="module"></script>', module),
            ],
        )

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        sent = files.getlist(name) if hasattr(files, "getlist") else [files.get(name)]
        # What was held back is offered again, too.
        offered = [getattr(file, "staged", None) or file for file in sent]
        self.kept = [file for file in offered if isinstance(file, StagedFile)]
        if not self.allow_multiple_selected:
            self.kept = self.kept[-1:]
        return super().value_from_datadict(data, files, name)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"] |= {
            "kept": self.kept,
            "kept_name": f"{name}{KEPT}",
            "uploads": _address(),
            "max_size": setting("MAX_SIZE"),
        }
        for file in self.kept:
            file.is_kept = True
        return context

    def use_required_attribute(self, initial: Any) -> bool:
        return super().use_required_attribute(initial) and not self.kept


class ResumableFileField(forms.FileField):
    """A file field whose files are staged, in a view that `takes_uploads`.

    Arguments: `multiple`: the field has a list of files, each of them checked; and those of
    Django's `FileField`. Where `UploadHandler` did not stage a file it is one of Django's.
    """

    widget = ResumableFileInput

    def __init__(self, *, multiple: bool = False, **kwargs: Any) -> None:
        self.multiple = multiple
        kwargs.setdefault("widget", ResumableFileInput(multiple=multiple))
        super().__init__(**kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        if not self.multiple:
            return super().clean(data, initial)
        if not data:
            return super().clean(None, initial) or []
        problems: list[ValidationError] = []
        for file in data:
            try:
                super().clean(file)
            except ValidationError as error:
                problems += error.error_list if isinstance(file, RefusedFile) else _of(file, error)
        if problems:
            raise ValidationError(problems)
        return data

    def to_python(self, data: Any) -> Any:
        if isinstance(data, RefusedFile):
            raise ValidationError(data.problem, code="refused")
        return super().to_python(data)


def _of(file: Any, error: ValidationError) -> list[ValidationError]:
    return [ValidationError(f"{visible(file.name)}: {message}") for message in error.messages]


def _address() -> str | None:
    try:
        return reverse("lo_storage_uploads:create")
    except NoReverseMatch:  # The project takes no pieces.
        return None
