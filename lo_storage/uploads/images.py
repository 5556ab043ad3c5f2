"""`ResumableImageField`: a `ResumableFileField` for images, of as many pixels as are harmless."""

import io
import zlib
from contextlib import suppress
from importlib import import_module
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from .forms import ResumableFileField

# What Pillow may read of an image. A header has a few KB; of WebP and AVIF it reads the whole.
READ_LIMIT = 32 * 1024**2

MESSAGES: dict[str, Any] = {
    "too_many_pixels": _(
        "The image has more than %(limit)s million pixels. Make it smaller, and choose it again."
    ),
    "too_much_to_read": _(
        "The first %(limit)s of the image do not say how many pixels it has. Save it as PNG or"
        " JPEG, and choose it again."
    ),
}

# Pillow lets out whatever its plugins meet in a damaged image.
DAMAGED = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError),
    *(MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, Warning, zlib.error),
)


class TooMuch(Exception):
    """`READ_LIMIT` bytes of a file were read."""


class _Beginning(io.RawIOBase):
    """A file, to be read until `READ_LIMIT` bytes are."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self.file, self.left = file, READ_LIMIT
        file.seek(0)  # What is lost raises here, and is no damaged image.

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        position: int = self.file.seek(offset, whence)
        return position

    def readinto(self, buffer: Any, /) -> int:
        count: int = self.file.readinto(buffer)
        self.left -= count
        if self.left < 0:
            raise TooMuch
        return count


def look_at(file: Any) -> Any:
    """Return the image that Pillow sees in a file; None: it is none, or a damaged one.

    It reads up to `READ_LIMIT` bytes, where Django would take all of them into the memory. Raises
    `ValidationError` where they do not tell how many pixels there are, and for more than
    `PIL.Image.MAX_IMAGE_PIXELS`: such an image may have come as a few bytes, and would fill the
    memory of whoever shows it. Of a PNG that is larger the end is not looked at.
    """
    pillow: Any = import_module("PIL.Image")  # whose lack Django tells where it is asked for
    limit = pillow.MAX_IMAGE_PIXELS
    beginning = io.BufferedReader(_Beginning(file))
    try:
        image = pillow.open(beginning)
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise _refused("too_many_pixels", (limit or 0) // 1_000_000) from error
    except TooMuch as error:
        raise _refused("too_much_to_read", filesizeformat(READ_LIMIT)) from error
    except DAMAGED:
        return None
    if limit and image.width * image.height > limit:
        raise _refused("too_many_pixels", limit // 1_000_000)
    try:
        with suppress(TooMuch):
            image.verify()
    except DAMAGED:
        return None
    return image


class ResumableImageField(forms.ImageField, ResumableFileField):
    """Django's `ImageField`, whose files are staged; it needs Pillow, too.

    What `look_at()` refuses, or sees no image in, is told at the field.
    """

    default_error_messages = MESSAGES

    def to_python(self, data: Any) -> Any:
        # Past Django's own, which reads all of it into the memory.
        file = super(forms.ImageField, self).to_python(data)
        if file is None:
            return None
        try:
            image = look_at(file)
        except ValidationError as error:
            message = self.error_messages[str(error.code)]
            raise ValidationError(message, error.code, error.params) from error
        if image is None:
            raise ValidationError(self.error_messages["invalid_image"], "invalid_image")
        file.image = image
        file.content_type = import_module("PIL.Image").MIME.get(image.format)
        file.seek(0)
        return file


def _refused(code: str, limit: Any) -> ValidationError:
    return ValidationError(MESSAGES[code], code, {"limit": limit})
