import hashlib
import mimetypes
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pytest

from lo_storage.catalogue import Entry
from lo_storage.serving.headers import SHOWN, describe


def an_entry(name, original_name="", sha256=None):
    moment = datetime(2026, 3, 2, 12, 30, 5, 123456, tzinfo=UTC)
    return Entry(16418, name, original_name, 10, sha256, 3, moment, moment)


def test_all_of_them():
    digest = hashlib.sha256(b"").hexdigest()
    assert describe(an_entry("16418.pdf", "march.pdf", digest)) == {
        "Content-Type": "application/pdf",
        "Content-Disposition": 'inline; filename="march.pdf"',
        "Repr-Digest": "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
        "Accept-Ranges": "bytes",
        "ETag": '"16418-3-20260302123005123456"',
        "Last-Modified": "Mon, 02 Mar 2026 12:30:05 GMT",
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'self'"
        ),
    }


def test_no_file_was_modified_in_the_future():
    ahead = datetime.now(UTC) + timedelta(hours=1)
    headers = describe(an_entry("16418.pdf")._replace(modified_at=ahead))
    modified = parsedate_to_datetime(headers["Last-Modified"])
    assert ahead - timedelta(hours=1, minutes=1) < modified <= datetime.now(UTC)


def test_no_digest_where_the_checksum_is_not_known():
    assert "Repr-Digest" not in describe(an_entry("16418.pdf"))


@pytest.mark.parametrize(
    ("suffixes", "content_type"),
    [
        (".pdf", "application/pdf"),
        (".PDF", "application/pdf"),
        (".tar.pdf", "application/pdf"),
        (".2 final.pdf", "application/pdf"),
        (".png", "image/png"),
        (".jpeg", "image/jpeg"),
        (".tiff", "image/tiff"),
        (".mp3", "audio/mpeg"),
        (".mp4", "video/mp4"),
    ],
)
def test_what_cannot_run_is_shown_in_the_browser(suffixes, content_type):
    headers = describe(an_entry(f"16418{suffixes}"))
    assert headers["Content-Type"] == content_type
    assert headers["Content-Disposition"] == f'inline; filename="16418{suffixes}"'
    headers = describe(an_entry(f"16418{suffixes}"), as_attachment=True)
    assert headers["Content-Type"] == content_type
    assert headers["Content-Disposition"] == f'attachment; filename="16418{suffixes}"'


@pytest.mark.parametrize("suffix", [".txt", ".text", ".log", ".TXT"])
def test_a_text_is_shown_in_the_encoding_that_the_caller_knows(suffix):
    entry = an_entry(f"16418{suffix}")
    for as_attachment in (None, True, False):
        headers = describe(entry, as_attachment)
        assert headers["Content-Type"] == "text/plain"
        assert headers["Content-Disposition"] == f'attachment; filename="16418{suffix}"'
    headers = describe(entry, charset="windows-1252")
    assert headers["Content-Type"] == "text/plain; charset=windows-1252"
    assert headers["Content-Disposition"] == f'inline; filename="16418{suffix}"'
    headers = describe(entry, as_attachment=True, charset="utf-8")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Content-Disposition"] == f'attachment; filename="16418{suffix}"'


def test_what_is_no_text_has_no_encoding():
    for name in ["16418.pdf", "16418.csv"]:
        assert describe(an_entry(name), charset="utf-8") == describe(an_entry(name))


def test_a_browser_may_load_the_film_or_sound_itself_and_nothing_else_and_run_no_script():
    rules = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'self'"
    )
    for suffix, content_type in SHOWN.items():
        policy = describe(an_entry(f"16418{suffix}"))["Content-Security-Policy"]
        if content_type.startswith(("audio/", "video/")):
            assert policy == f"{rules}; media-src 'self'; sandbox allow-same-origin allow-scripts"
        elif content_type == "application/pdf":
            assert policy == rules
        else:
            assert policy == f"{rules}; sandbox"


@pytest.mark.parametrize(
    "suffixes",
    [
        *("", ".", ".pdf ", ".pdf.", ".pdf\xa0", ".pdfx", ".unknown", ".bin", ".csv", ".zip"),
        *(".html", ".HTML", ".htm", ".xhtml", ".shtml", ".mht", ".hta", ".swf", ".jar", ".exe"),
        *(".svg", ".svgz", ".svg.gz", ".xml", ".xsl", ".xslt", ".rss", ".js", ".mjs", ".css"),
        *(".pdf.gz", ".txt.gz", ".tgz", ".txt.bz2", ".txt.xz", ".txt.br", ".txt.Z", ".pdf.html"),
    ],
)
def test_everything_else_is_saved_to_disk_whoever_insists(suffixes):
    for as_attachment in (None, True, False):
        headers = describe(an_entry(f"16418{suffixes}"), as_attachment=as_attachment)
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"] == f"attachment; {of_name(f'16418{suffixes}')}"
        assert "Content-Encoding" not in headers


def of_name(name):
    if name.isascii():
        return f'filename="{name}"'
    return f"filename=\"{name.replace('\xa0', ' ')}\"; filename*=UTF-8''{quote(name)}"


def test_no_type_that_is_shown_can_run():
    kinds = {content_type.split("/")[0] for content_type in SHOWN.values()}
    assert kinds == {"application", "audio", "image", "text", "video"}
    assert {t for t in SHOWN.values() if t.startswith(("application/", "text/"))} == {
        "application/pdf",
        "text/plain",
    }
    assert not {t for t in SHOWN.values() if "xml" in t or "svg" in t or "html" in t}


def test_the_machine_s_own_table_of_types_has_no_say(monkeypatch):
    monkeypatch.setattr(mimetypes, "_db", mimetypes.MimeTypes())
    mimetypes.add_type("text/html", ".pdf")
    mimetypes.add_type("image/png", ".png2")
    assert mimetypes.guess_type("a.pdf") == ("text/html", None)
    assert describe(an_entry("16418.pdf"))["Content-Type"] == "application/pdf"
    assert describe(an_entry("16418.png2"))["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("March rent; 2026 (final), v=1.pdf", 'filename="March rent; 2026 (final), v=1.pdf"'),
        ("Müller.pdf", "filename=\"Muller.pdf\"; filename*=UTF-8''M%C3%BCller.pdf"),
        (
            "Ünï 発票.pdf",
            "filename=\"Uni __.pdf\"; filename*=UTF-8''%C3%9Cn%C3%AF%20%E7%99%BA%E7%A5%A8.pdf",
        ),
        ("📄.pdf", "filename=\"_.pdf\"; filename*=UTF-8''%F0%9F%93%84.pdf"),
        ('a "b".pdf', "filename=\"a _b_.pdf\"; filename*=UTF-8''a%20%22b%22.pdf"),
        ("a\\b.pdf", "filename=\"a_b.pdf\"; filename*=UTF-8''a%5Cb.pdf"),
        ("a%20b.pdf", "filename=\"a_20b.pdf\"; filename*=UTF-8''a%2520b.pdf"),
        ("../a.pdf", "filename=\".._a.pdf\"; filename*=UTF-8''..%2Fa.pdf"),
        (
            "a\r\nSet-Cookie: x.pdf",
            "filename=\"a__Set-Cookie: x.pdf\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x.pdf",
        ),
        ("a\0\t\x7f.pdf", "filename=\"a___.pdf\"; filename*=UTF-8''a%00%09%7F.pdf"),
        # Some letters decompose into what is not plain.
        ("℅.pdf", "filename=\"c_o.pdf\"; filename*=UTF-8''%E2%84%85.pdf"),
        ("\ud800.pdf", "filename=\"_.pdf\"; filename*=UTF-8''%3F.pdf"),
        ("", 'filename="16418.pdf"'),
    ],
)
def test_the_name_that_it_is_saved_under(name, expected):
    entry = an_entry("16418.pdf", name.replace("\ud800", "?"))
    assert describe(an_entry("16418.pdf"), download_name=name)["Content-Disposition"] == (
        f"inline; {expected}"
    )
    if "\ud800" not in name:  # which PostgreSQL cannot hold
        assert describe(entry)["Content-Disposition"] == f"inline; {expected}"


def test_another_policy_for_caches():
    headers = describe(an_entry("16418.pdf"), cache_control="private, max-age=3600")
    assert headers["Cache-Control"] == "private, max-age=3600"
