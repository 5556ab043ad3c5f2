"""Sample files: real enough for a browser to show them, made where they are needed."""

import hashlib
import struct
import wave
import zlib
from io import BytesIO
from random import Random

MiB = 1024**2


def pdf(text="Invoice", colour=(1, 1, 1)):
    """A page with one line of text, on a colour."""
    return _pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        _stream(_fill(colour) + f" 0 g BT /F1 24 Tf 72 720 Td ({text}) Tj ET"),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )


def pdf_that_acts(when_opened, when_clicked):
    """Two pages, green and red, and their scripts; a click on the red one runs the second."""

    def action(script):
        return b"<< /S /JavaScript /JS <%b> >>" % script.encode().hex().encode()

    return _pdf(
        b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [7 0 R] >> /OpenAction %b >>"
        % action(when_opened),
        b"<< /Type /Pages /Kids [3 0 R 5 0 R] /Count 2 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        _stream(_fill((0, 1, 0))),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 6 0 R /Annots [7 0 R] >>",
        _stream(_fill((1, 0, 0))),
        b"<< /Type /Annot /Subtype /Widget /FT /Btn /Ff 65536 /T (button) /Rect [0 0 595 842]"
        b" /F 4 /P 5 0 R /A %b >>" % action(when_clicked),
    )


def pdf_that_is_clicked(action):
    """A red page, a click on which does this; `action` is a dictionary in PDF's syntax."""
    return _pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Annots [5 0 R] >>",
        _stream(_fill((1, 0, 0))),
        b"<< /Type /Annot /Subtype /Link /Rect [0 0 595 842] /F 4 /A << %b >> >>" % action.encode(),
    )


def _fill(colour):
    return "{} {} {} rg 0 0 595 842 re f".format(*colour)


def _stream(text):
    return b"<< /Length %d >>\nstream\n%b\nendstream" % (len(text), text.encode())


def _pdf(*objects):
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    size, start = len(objects) + 1, len(content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (size, start)
    return content + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def png(width=40, height=30):
    """An image of one colour."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = (b"\0" + bytes([40, 90, 160]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def wav(seconds):
    """A sound, of silence."""
    content = BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 8000 * seconds)
    return content.getvalue()


def noise(size, seed=0):
    """Bytes of every kind, the same each time, that no compression makes smaller."""
    return Random(seed).randbytes(size)


def sha256(content):
    return hashlib.sha256(content).hexdigest()
