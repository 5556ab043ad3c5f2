"""`ResumableImageField`: a `ResumableFileField` for images, of as many pixels as are harmless."""

from importlib import import_module
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .forms import ResumableFileField


class ResumableImageField(ResumableFileField, forms.ImageField):
    """Django's `ImageField`, whose files are staged; it needs Pillow, too.

    An image of more pixels than `PIL.Image.MAX_IMAGE_PIXELS` is refused with a sentence: it may
    have come as a few bytes, and would fill the memory of whoever shows it.
    """

    default_error_messages = {
        "too_many_pixels": _(
            "The image has more than %(limit)s million pixels. Make it smaller, and choose it"
            " again."
        ),
    }

    def to_python(self, data: Any) -> Any:
        pillow: Any = import_module("PIL.Image")  # whose lack Django tells where it is asked for
        limit = pillow.MAX_IMAGE_PIXELS
        try:
            file = super().to_python(data)
        except ValidationError as error:
            # Django calls it no valid image.
            bombs = pillow.DecompressionBombError, pillow.DecompressionBombWarning
            if isinstance(error.__cause__, bombs):
                raise self._too_many(limit) from error
            raise
        image = getattr(file, "image", None)
        if limit and image is not None and image.width * image.height > limit:
            raise self._too_many(limit)
        return file

    def _too_many(self, limit: int | None) -> ValidationError:
        return ValidationError(
            self.error_messages["too_many_pixels"],
            code="too_many_pixels",
            params={"limit": (limit or 0) // 1_000_000},
        )
