"""What `config/accepting.py` lets in: each common kind as programs write it, and no liar."""

import gzip
import random
import struct
import tarfile
import zipfile
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from openpyxl import Workbook
from PIL import Image
from pypdf import PdfWriter

from config.accepting import fits_its_name, within_pixels


def written(write):
    file = BytesIO()
    write(file)
    return file.getvalue()


def image(kind, size=(20, 20)):
    return written(lambda file: Image.new("RGB", size, "red").save(file, kind))


def archive(*names):
    def write(file):
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return written(write)


def tar(file):
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))


def boxes(brand):
    return struct.pack(">I4s4sI8s", 24, b"ftyp", brand, 0, b"mif1heic") + bytes(100)


document = PdfWriter()
document.add_blank_page(200, 100)
PDF = written(document.write)
XLSX = written(Workbook().save)
DOCX = archive("[Content_Types].xml", "_rels/.rels", "word/document.xml")
ODT = archive("mimetype", "content.xml")
OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)
PROGRAM = b"MZ" + bytes(58) + struct.pack("<I4s", 64, b"PE\0\0") + bytes(200)
SVG = b'<?xml version="1.0"?>\n<!-- a drawing -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'

HONEST = {
    "a.pdf": PDF,
    "A.PDF": PDF,
    "after a byte order mark.pdf": b"\xef\xbb\xbf\r\n" + PDF,
    "after a header.pdf": b"Content-Type: application/pdf\r\n\r\n" + PDF,
    "a.png": image("PNG"),
    "a.jpg": image("JPEG"),
    "a.jpeg": image("JPEG"),
    "a camera's.jpg": b"\xff\xd8\xff\xe1" + image("JPEG")[4:],
    "without an application's marker.jpg": b"\xff\xd8\xff\xdb" + image("JPEG")[4:],
    "a.gif": image("GIF"),
    "a.webp": image("WEBP"),
    "a.bmp": image("BMP"),
    "a.tif": image("TIFF"),
    "big endian.tiff": b"MM\0\x2a" + bytes(100),
    "a phone's.heic": boxes(b"heic"),
    "another phone's.heic": boxes(b"mif1"),
    "a.avif": boxes(b"avif"),
    "a.mp4": boxes(b"isom"),
    "a.mov": boxes(b"qt  "),
    "old.mov": b"\0\0\0\x08wide\0\0\1\0mdat" + bytes(100),
    "a.docx": DOCX,
    "a.xlsx": XLSX,
    "a.odt": ODT,
    "with a password.docx": OLE,
    "a.doc": OLE,
    "a web page.xls": b"<table><tr><td>1</td></tr></table>",
    "a.zip": archive("a.txt"),
    "empty.zip": archive(),
    "a.gz": gzip.compress(b"a"),
    "a.tar": written(tar),
    "a.txt": b"March\n",
    "empty.txt": b"",
    "UTF-16.txt": "März".encode("utf-16"),
    "about PDF.txt": b"%PDF- is how a PDF begins\n",
    "about cars.txt": b"BMW\n",
    "a.csv": b"March;1,00\n",
    "Windows.csv": "März;1,00\n".encode("cp1252"),
    "a.xml": b"\xef\xbb\xbf<?xml version='1.0'?><letter/>",
    "a.svg": SVG,
    "short.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "a.eml": b"From: alice\r\n\r\nMarch",
    "a.p7m": b"\x30\x82" + bytes(100),
    "of a kind that nobody knows.xyz": b"\0\1\2",
    "without an end": b"\0\1\2",
}
LIARS = {
    "a program.pdf": PROGRAM,
    "a program.jpg": PROGRAM,
    "a program.docx": PROGRAM,
    "a program.txt": PROGRAM,
    "a program.csv": PROGRAM,
    "a program, and much more.letter.pdf": PROGRAM + bytes(2000) + PDF,
    "a web page.pdf": b"<!doctype html><script>1</script>",
    "a web page.png": b"<html><script>1</script>",
    "a drawing.png": SVG,
    "a PNG.jpg": image("PNG"),
    "a PNG.pdf": image("PNG"),
    "a JPEG.png": image("JPEG"),
    "a phone's.jpg": boxes(b"heic"),
    "an archive.pdf": archive("a.txt"),
    "a PDF.docx": PDF,
    "a table.csv": XLSX,
    "a text.pdf": b"March",
    "a text.docx": b"March",
    "empty.pdf": b"",
    "a script.pdf": b"#!/bin/sh\n",
}


@pytest.mark.parametrize("name", HONEST)
def test_what_programs_write_gets_in(name):
    fits_its_name(ContentFile(HONEST[name], name))


@pytest.mark.parametrize("name", LIARS)
def test_what_is_something_else_does_not(name):
    with pytest.raises(ValidationError, match=r"Open it, save it as .*, and choose it"):
        fits_its_name(ContentFile(LIARS[name], name))


def bomb(width, height):
    """A PNG of a few bytes that says it is so large."""
    png = image("PNG")
    header = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


@pytest.mark.parametrize("size", [(9_000, 9_000), (65_000, 1)])
def test_a_large_scan_gets_in(size):
    within_pixels(ContentFile(image("PNG", size) if 1 in size else bomb(*size), "a.png"))


@pytest.mark.parametrize("size", [(10_000, 9_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_that_would_fill_the_memory_does_not(size):
    with pytest.raises(ValidationError, match="more than 89 million pixels"):
        within_pixels(ContentFile(bomb(*size), "a.png"))


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about what is damaged
@pytest.mark.parametrize("name", HONEST)
def test_damaged_ones_are_taken_or_refused(name):
    rng = random.Random(17)
    for _ in range(20):
        content = bytearray(HONEST[name])
        for _ in range(rng.randrange(1, 6) if content else 0):
            content[rng.randrange(min(len(content), 60))] = rng.randrange(256)
        content = content[: rng.randrange(len(content) + 1)] if rng.random() < 0.5 else content
        for accept in (fits_its_name, within_pixels):
            with suppress(ValidationError):
                accept(ContentFile(bytes(content), name))
