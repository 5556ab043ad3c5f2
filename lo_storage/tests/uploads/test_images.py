import random
import struct
import tracemalloc
import warnings
import zlib
from io import BytesIO

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from lo_storage.uploads import images
from lo_storage.uploads.files import RefusedFile, StagedFile
from lo_storage.uploads.images import ResumableImageField
from lo_storage.uploads.models import Upload

Image = pytest.importorskip("PIL.Image", reason="the project may have no Pillow")

MiB = 1024 * 1024
TOO_MUCH = (
    "The first 1.0\xa0MB of the image do not say how many pixels it has. Save it as PNG or JPEG,"
    " and choose it again."
)
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


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + bytes(4)


NOISE = random.Random(17).randbytes(16 * MiB)
HEADER = png()[:33]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.png", HEADER + chunk(b"IDAT", NOISE), None),
        ("a.png", HEADER + chunk(b"tEXt", NOISE), TOO_MUCH),
        ("a.webp", b"RIFF" + struct.pack("<I", len(NOISE)) + b"WEBPVP8 " + NOISE, TOO_MUCH),
        ("a.avif", bytes(3) + b"\x20ftypavif" + bytes(20) + NOISE, TOO_MUCH),
        ("a.eps", b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 9 9\n" + bytes(len(NOISE)), TOO_MUCH),
        (
            "a.png",
            NOISE,
            "Upload a valid image. The file you uploaded was either not an image or a"
            " corrupted image.",
        ),
    ],
)
def test_a_large_one_is_not_read_into_the_memory(name, content, problem, staged, monkeypatch):
    monkeypatch.setattr(images, "READ_LIMIT", MiB)
    Image.init()  # Its modules are no memory of an image.
    upload = staged(content, name)
    staged_file, sent = StagedFile("default", upload), SimpleUploadedFile(name, content)
    for file in (staged_file, sent):
        tracemalloc.start()
        try:
            ResumableImageField().clean(file)
            told = None
        except ValidationError as error:
            (told,) = error.messages
        finally:
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert (told, most < 4 * MiB) == (problem, True), most
    staged_file.close()


def test_what_is_lost_is_no_damaged_image(staged):
    upload = staged(png(), "a.png")
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s)", [upload.loid])
    with pytest.raises(FileNotFoundError):
        ResumableImageField().clean(StagedFile("default", upload))


def test_what_was_refused_before_is_told(user):
    with pytest.raises(ValidationError, match="held back"):
        ResumableImageField().clean(RefusedFile("scan.png", "held back"))
    assert not Upload.objects.exists()
