import struct
import warnings
import zlib
from io import BytesIO

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile

from lo_storage.uploads.files import RefusedFile, StagedFile
from lo_storage.uploads.images import ResumableImageField
from lo_storage.uploads.models import Upload

Image = pytest.importorskip("PIL.Image", reason="the project may have no Pillow")

TOO_MANY = "The image has more than 89 million pixels. Make it smaller, and choose it again."


def png(size=(20, 20)):
    file = BytesIO()
    Image.new("L", size).save(file, "PNG")
    return file.getvalue()


def bomb(width, height):
    """A PNG of a few bytes that says it is so large."""
    small = png()
    header = b"IHDR" + struct.pack(">II", width, height) + small[24:29]
    return small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]


def test_a_staged_image_is_an_image(staged):
    file = ResumableImageField().clean(StagedFile("default", staged(png(), "scan.png")))
    assert (file.image.size, file.read()) == ((20, 20), png())
    file.close()


# The first is a warning of Pillow's, or with -W error an exception; the second always is.
@pytest.mark.parametrize("size", [(10_000, 9_000), (100_000, 90_000)])
@pytest.mark.parametrize("warns", ["error", "ignore"])
@pytest.mark.parametrize("multiple", [False, True])
def test_an_image_that_would_fill_the_memory_is_refused(size, warns, multiple, staged):
    file = StagedFile("default", staged(bomb(*size), "scan.png"))
    field = ResumableImageField(multiple=multiple)
    with warnings.catch_warnings():
        warnings.simplefilter(warns, Image.DecompressionBombWarning)
        with pytest.raises(ValidationError) as caught:
            field.clean([file] if multiple else file)
    assert caught.value.messages == [f"scan.png: {TOO_MANY}" if multiple else TOO_MANY]
    file.close()


@pytest.mark.parametrize("content", [b"no image", png()[:40], b""])
def test_what_is_no_image_is_told_as_django_does(content, user):
    with pytest.raises(ValidationError) as caught:
        ResumableImageField().clean(SimpleUploadedFile("scan.png", content))
    assert caught.value.code in {"invalid_image", "empty"}


def test_what_was_refused_before_is_told(user):
    with pytest.raises(ValidationError, match="held back"):
        ResumableImageField().clean(RefusedFile("scan.png", "held back"))
    assert not Upload.objects.exists()
