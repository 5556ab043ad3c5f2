"""What a site may ask of an upload: functions for `ACCEPT` of LO_STORAGE_UPLOADS."""

from pathlib import PurePath

import puremagic
from django.core.exceptions import ValidationError

from lo_storage.uploads.images import look_at

# What a signature is looked for in: a PDF may begin after other bytes, a tar has its own at 257.
HEAD = 4096

# Formats without a signature: whoever opens one expects a text.
TEXTS = {".csv", ".htm", ".html", ".json", ".md", ".svg", ".txt", ".xml"}
UTF_16 = (b"\xff\xfe", b"\xfe\xff")

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OFFICE = {".docx", ".odp", ".ods", ".odt", ".pptx", ".xlsx"}
# By ISO 14496-12, of which each camera has its own brand.
BOXES = {".avif", ".heic", ".heif", ".m4a", ".m4v", ".mov", ".mp4"}

# Those of one format, in the words of puremagic. What is not here may have any content.
FORMATS = {
    ".bmp": ".bmp",
    ".gif": ".gif",
    ".gz": ".gz",
    ".jpe": ".jpg",
    ".jpeg": ".jpg",
    ".jpg": ".jpg",
    ".pdf": ".pdf",
    ".png": ".png",
    ".tif": ".tiff",
    ".tiff": ".tiff",
    ".webp": ".webp",
    ".zip": ".zip",
    **dict.fromkeys(OFFICE, ".zip"),
}


def fits_its_name(file):
    """Refuse a file whose content is not what the end of its name says."""
    suffix = PurePath(file.name).suffix.lower()
    head = file.read(HEAD)
    if suffix in TEXTS:
        fits = b"\0" not in head or head.startswith(UTF_16)
    elif suffix in BOXES:
        fits = head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
    elif suffix in OFFICE and head.startswith(OLE):
        fits = True  # with a password
    elif suffix == ".pdf" and b"%PDF-" in head[:1024]:
        fits = True  # as each reader takes it: some printers and mail programs write lines before
    elif suffix in FORMATS:
        fits = FORMATS[suffix] in formats_of(head)
    else:
        fits = True
    if not fits:
        raise ValidationError(
            f"It is called {suffix}, and its content is something else. Open it, save it as"
            f" {suffix}, and choose it again; or rename it to what it is."
        )


def formats_of(head):
    """Return the suffixes of all formats whose signature this is."""
    try:
        return {match.extension for match in puremagic.magic_string(head)}
    except (puremagic.PureError, ValueError):  # It knows none; there are no bytes.
        return set()


def within_pixels(file):
    """Refuse an image with more pixels than Pillow takes for harmless: who shows it, needs memory.

    As much of it is read as `ResumableImageField` reads.
    """
    look_at(file)
