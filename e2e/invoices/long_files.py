"""Files in which a browser seeks: long enough that it does not load all of them ahead."""

import struct
from io import BytesIO
from random import Random

from PIL import Image


def film(seconds, last):
    """A WebM video, dark, but for the `last` seconds, which are light.

    Each second is one key frame, about 250 KB, which is what a lossy WebP has inside.
    """

    def element(name, content):
        if isinstance(content, int):
            content = content.to_bytes(8)
        return bytes.fromhex(name) + (len(content) | 1 << 56).to_bytes(8) + content

    def elements(**content):
        return b"".join(element(name.lstrip("_"), value) for name, value in content.items())

    def frame(shade):
        noise = Random(shade).randbytes(640 * 480)
        image = Image.frombytes("L", (640, 480), noise).convert("RGB")
        image.paste((shade, shade, shade), (0, 0, 200, 200))
        webp = BytesIO()
        image.save(webp, "webp", quality=95)
        return webp.getvalue()[20:]

    def index(places):
        return b"".join(
            element("bb", elements(b3=1000 * second, b7=elements(f7=1, f1=place)))
            for second, place in enumerate(places)
        )

    dark, light = frame(40), frame(200)
    clusters = [
        elements(
            _1f43b675=elements(
                e7=1000 * second,
                a3=b"\x81\0\0\x80" + (light if second >= seconds - last else dark),
            )
        )
        for second in range(seconds)
    ]
    size = elements(b0=640, ba=480)
    track = elements(d7=1, _73c5=1, _83=1, _86=b"V_VP8", e0=size)
    length = struct.pack(">d", 1000 * seconds)
    begin = elements(
        _1549a966=elements(_2ad7b1=10**6, _4489=length, _4d80=b"-", _5741=b"-"),
        _1654ae6b=elements(ae=track),
    )
    at = len(begin + elements(_1c53bb6b=index([0] * seconds)))
    places = [at + sum(map(len, clusters[:second])) for second in range(seconds)]
    content = begin + elements(_1c53bb6b=index(places)) + b"".join(clusters)
    kind = elements(_4286=1, _42f7=1, _42f2=4, _42f3=8, _4282=b"webm", _4287=4, _4285=2)
    return elements(_1a45dfa3=kind, _18538067=content)


def document(pages):
    """A linearized PDF (ISO 32000-1, annex F), white, but for the last page, which is red.

    Each page has 500 KB. What a viewer needs for the first comes first.
    """
    noise = Random(0).randbytes(500_000 // 2).hex().encode()

    def page(number, n):
        colour = b"1 0 0 rg 0 0 595 842 re f" if n == pages - 1 else b""
        stream = b"%b\n%%%b" % (colour, noise)
        return {
            number: b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R >>"
            % (tree, number + 1),
            number + 1: b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        }

    def table(offsets):
        return b"".join(b"%010d 00000 n \n" % offset for offset in offsets)

    def head(size, end_of_first, end):
        entries = table([9, *(places[number] for number in range(start + 1, start + 4))])
        begin = b"%%PDF-1.4\n%d 0 obj\n<< /Linearized 1 /L %d /H [0 0] /O %d /E %d /N %d /T %d >>"
        return (begin % (start, size, first, end_of_first, pages, end)).ljust(150) + (
            b"\nendobj\nxref\n%d 4\n%btrailer\n<< /Size %d /Root %d 0 R /Prev %10d >>\n"
            b"startxref\n0\n%%%%EOF\n" % (start, entries, start + 4, start + 1, end)
        )

    # Numbers: the other pages, their tree, and then what comes first.
    tree = 2 * pages - 1
    start, first = tree + 1, tree + 3
    places = dict.fromkeys(range(start + 4), 0)
    at = len(head(0, 0, 0))
    ahead = {start + 1: b"<< /Type /Catalog /Pages %d 0 R >>" % tree, **page(first, 0)}
    others = {}
    for n in range(1, pages):
        others |= page(2 * n - 1, n)
    kids = b" ".join(b"%d 0 R" % number for number in [first, *range(1, tree, 2)])
    others[tree] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, pages)
    written = {}
    for number, body in {**ahead, **others}.items():
        places[number] = at
        written[number] = b"%d 0 obj\n%b\nendobj\n" % (number, body)
        at += len(written[number])
    rest = b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d >>\nstartxref\n158\n%%%%EOF\n"
    rest %= (start, table(places[number] for number in range(1, start)), start)
    return head(at + len(rest), places[1], at) + b"".join(written.values()) + rest
