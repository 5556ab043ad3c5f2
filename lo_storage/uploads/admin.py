"""`TakesUploads`: the admin's forms have resumable fields, and keep their files when refused."""

from typing import Any

from django.contrib.admin.widgets import AdminFileWidget
from django.db import models
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator

from .decorators import takes_uploads
from .forms import ResumableFileField, ResumableFileInput
from .images import ResumableImageField

__all__ = ["AdminResumableFileInput", "TakesUploads"]


class AdminResumableFileInput(ResumableFileInput):
    """With the look that the admin gives a file."""

    use_fieldset = True

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["input_template"] = AdminFileWidget.template_name
        return context


class TakesUploads:
    """For a `ModelAdmin` and for an inline: `class PaperAdmin(TakesUploads, ModelAdmin)`.

    Who has `formfield_overrides` of their own adds these to them.
    """

    formfield_overrides = {
        models.FileField: {"form_class": ResumableFileField, "widget": AdminResumableFileInput},
        models.ImageField: {"form_class": ResumableImageField, "widget": AdminResumableFileInput},
    }

    @method_decorator(takes_uploads)
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return super().add_view(request, *args, **kwargs)  # type: ignore[misc, no-any-return]

    @method_decorator(takes_uploads)
    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return super().change_view(request, *args, **kwargs)  # type: ignore[misc, no-any-return]
